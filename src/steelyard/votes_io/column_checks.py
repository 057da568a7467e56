"""What does not look like votes: columns that are no voters, and a class that would abstain."""

import numpy as np

from steelyard.errors import InputError
from steelyard.votes_io.values import quoted, whole_number
from steelyard.votes_io.vote_columns import RawVotes

FEW_VOTES = 5
"""Votes of a column below which one answer that nobody shares says nothing."""
RATED = 10
"""Answers from which a voter shows whether it uses the whole scale from -1 to 1."""


def check_columns(raw: RawVotes) -> None:
    """Refuse a column of a wide file that is hardly a voter.

    That is one most of whose answers occur in no other column and are almost all different, or none
    of whose answers occur in another column where other columns share theirs.

    Raises:
        InputError: naming the column and an answer that only it has.
    """
    voters = len(raw.voters)
    if raw.header.layout != "wide" or voters < 2 or not len(raw.voter):
        return
    spelling: dict[str, int] = {}
    texts = [" ".join(_text(value).casefold().split()) for value in raw.answer.values]
    same = np.array([spelling.setdefault(text, len(spelling)) for text in texts], dtype=np.int64)
    answer = same[raw.answer.codes]
    pairs, votes = np.unique(answer * voters + raw.voter, return_counts=True)
    alone = (np.bincount(pairs // voters) == 1)[pairs // voters]
    of_voter = pairs % voters
    total = np.bincount(of_voter, weights=votes, minlength=voters)
    unshared = np.bincount(of_voter, weights=votes * alone, minlength=voters)
    kinds = np.bincount(of_voter, weights=alone, minlength=voters)
    varied = (2 * unshared > total) & (kinds >= 3) & (2 * kinds > unshared)
    others_share = (unshared < total).sum() >= 2
    foreign = (unshared == total) & others_share & ((total >= FEW_VOTES) | (kinds >= 3))
    if (varied | foreign).any():
        v = int(np.argmax(np.where(varied | foreign, kinds, -1)))
        answers = pairs[alone & (of_voter == v)] // voters
        vote = int(np.argmax((raw.voter == v) & np.isin(answer, answers)))
        raise InputError(
            f"{raw.source.name}: is column {raw.voters[v]!r} a voter? Most of its answers, such as "
            f"{quoted(raw.value(vote))}, stand in no other column. If it is not, leave it out with "
            "`without`; if it is, list all voters with `voters`, or give the class names as "
            "`classes`."
        )


def _text(value: object) -> str:
    return whole_number(value) or str(value)


def check_minus_one(raw: RawVotes, names: list[str]) -> None:
    """Refuse -1, which abstains, where it looks like a class.

    It does beside 1 alone, beside other negative classes, and beside 0 and 1 where most voters use
    all three.

    Raises:
        InputError: saying how to tell which it is.
    """
    codes = [code for code, v in enumerate(raw.answer.values) if whole_number(v) == "-1"]
    numbers = {whole_number(name) for name in names}
    if not codes or None in numbers:
        return
    advice = (
        "If -1 is a class, give all class names as `classes`; if it is not, give it as `abstain`."
    )
    if numbers == {"1"}:
        raise InputError(
            f"{raw.source.name} has the answers 1 and -1, and -1 abstains: only one class is left. "
            "If -1 is a class, give both class names as `classes`."
        )
    negative = next((name for name in names if name.startswith("-")), None)
    if negative is not None:
        raise InputError(
            f"{raw.source.name} has the answers {negative} and -1, and -1 abstains. {advice}"
        )
    minus = np.isin(raw.answer.codes, codes)
    if numbers == {"0", "1"} and 0.1 <= minus.mean() <= 0.6 and _whole_scale(raw):
        raise InputError(
            f"{raw.source.name} has {int(minus.sum()):,} answers of -1 beside 0 and 1, and most "
            f"voters use all three. {advice}"
        )


def _whole_scale(raw: RawVotes) -> bool:
    """Whether most voters with enough answers use -1, 0 and 1."""
    whole = [whole_number(value) for value in raw.answer.values]
    sizes = np.bincount(raw.voter, minlength=len(raw.voters))
    enough = sizes >= RATED
    used = np.ones(len(raw.voters), dtype=bool)
    for text in ("-1", "0", "1"):
        given = np.array([value == text for value in whole])[raw.answer.codes]
        used &= np.bincount(raw.voter, weights=given, minlength=len(raw.voters)) > 0
    return bool(enough.any()) and 2 * int(used[enough].sum()) > int(enough.sum())
