"""What the distinct answers of a votes file mean: classes, or candidates of each example."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.types import ABSTAIN, Ints
from steelyard.votes_io.raw_votes import RawVotes, empty, shown

OpenAnswerFormat = Literal["number", "text", "json", "slots"]
"""What open answers are read as."""
Answers = Literal["closed", "number", "text", "json", "slots"]
"""Closed answers name classes."""
AnyInts: TypeAlias = npt.NDArray[np.integer]

NO_CLASS = -2
"""What names no class: a mistake."""
NOBODY = -2
"""The true answer of an example whose voters all gave others (of open answers)."""

WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})(\.0*)?")
FRACTION = re.compile(
    r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|inf(inity)?)([eE][+-]?[0-9]+)?", re.IGNORECASE
)
ABSTENTIONS = {"-1", "nan", "NaN", "NAN", "<NA>", "NaT", "null", "NULL"}
"""Words of a file that abstain, if they are no class names."""
DOUBTFUL = {
    "none",
    "na",
    "n/a",
    "unknown",
    "unsure",
    "unclear",
    "skip",
    "abstain",
    "no answer",
    "?",
}
"""Words that are taken for a class, and remarked upon."""
LARGE = 300_000_000
"""Cells of a posterior that would take 2.4 GB."""


@dataclass(frozen=True)
class FileClasses:
    """K class names; a whole number is a name if any name is one, else a number from 0."""

    names: tuple[str, ...]

    def numbers(self, values: Sequence[Any]) -> Ints:
        """The class of each value, ABSTAIN or NO_CLASS; 1, "1" and 1.0 are one value."""
        return np.array([self._number(value) for value in values], dtype=np.int64)

    def candidates(self, example: AnyInts, number: Ints) -> Ints:
        """Classes are the candidates of every example."""
        return number

    def _number(self, value: Any) -> int:
        if isinstance(value, str) and value in self._row:
            return self._row[value]
        whole = whole_number(value)
        if whole in self._row:
            return self._row[whole]
        if abstains(value):
            return ABSTAIN
        if whole is not None and not self._by_name and 0 <= int(whole) < len(self.names):
            return int(whole)
        return NO_CLASS

    @cached_property
    def _row(self) -> dict[str | None, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def _by_name(self) -> bool:
        return any(whole_number(name) for name in self.names)


@dataclass(frozen=True, eq=False)
class OpenAnswers:
    """Candidates of each example: the distinct canonical texts that its voters gave."""

    reader: OpenAnswerFormat
    names: tuple[str, ...]  # canonical texts of all examples, sorted
    pairs: Ints  # sorted distinct example * len(names) + name: what was given where

    def numbers(self, values: Sequence[Any]) -> Ints:
        """The name of each value, ABSTAIN where it has no answer, NO_CLASS if nobody gave it."""
        row = {name: i for i, name in enumerate(self.names)}
        texts = [canonical_value(value, self.reader) for value in values]
        found = [ABSTAIN if text is None else row.get(text, NO_CLASS) for text in texts]
        return np.array(found, dtype=np.int64)

    def candidates(self, example: AnyInts, number: Ints) -> Ints:
        """Candidate numbers from names' numbers; NOBODY for what nobody said of that example."""
        key = example.astype(np.int64) * len(self.names) + number
        at = np.searchsorted(self.pairs, key)
        given = (number >= 0) & (self.pairs[np.minimum(at, len(self.pairs) - 1)] == key)
        start = np.searchsorted(self.pairs, example.astype(np.int64) * len(self.names))
        return np.where(number == ABSTAIN, ABSTAIN, np.where(given, at - start, NOBODY))


def whole_number(value: Any) -> str | None:
    """The digits of a whole number, however it is written; None for anything else.

    >>> whole_number(1), whole_number("1.0"), whole_number("01"), whole_number(True)
    ('1', '1', None, None)
    """
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer():
        return str(int(value))
    if type(value) is str and WHOLE.fullmatch(value):
        return str(int(value.partition(".")[0]))
    return None


def abstains(value: Any) -> bool:
    """Whether an answer that is no class's name says nothing: empty, NaN, null or -1."""
    word = isinstance(value, str) and value in ABSTENTIONS
    return word or empty(value) or whole_number(value) == "-1"


def canonical_value(value: Any, reader: OpenAnswerFormat) -> str | None:
    """An open answer in its one spelling; None where there is none."""
    from steelyard.prompts.parse_answer import canonical

    if empty(value):
        return None
    if not isinstance(value, str):
        value = json.dumps(value, sort_keys=True, default=str)
    return canonical(value, reader)


def find_classes(cast: RawVotes) -> tuple[FileClasses, list[str]]:
    """Classes named by the votes themselves, sorted, and what is to be said about them.

    Raises:
        InputError: an answer is no class; names and numbers are mixed; two names differ only in
            case or white space; there are so many that they look like open answers.
    """
    _check_columns(cast)
    spelled: dict[str, list[int]] = {}
    names, numbers = 0, 0
    for code, value in enumerate(cast.answer.values):
        whole = whole_number(value)
        if abstains(value):
            continue
        if whole is None and (not isinstance(value, str) or FRACTION.fullmatch(value)):
            refuse(cast, cast.answer.first(code), _no_name(value))
        names, numbers = names + (whole is None), numbers + (whole is not None)
        spelled.setdefault(whole or value, []).append(code)
    if not spelled:
        raise InputError(
            f"{cast.path.name} has no answer that names a class: every vote abstains. Is it the "
            "right file? If nobody answered yet, list the classes in a file for `--classes`."
        )
    if names and numbers:
        ordered = reversed(spelled.items())  # so that the first of each kind is kept
        kinds = {whole_number(text) is None: codes for text, codes in ordered}
        one, two = (cast.answer.first(codes[0]) for codes in (kinds[True], kinds[False]))
        raise InputError(
            f"{cast.path.name}: answers must be all names or all whole numbers; "
            f"{cast.place(one)} has {shown(_value(cast, one))}, {cast.place(two)} has "
            f"{shown(_value(cast, two))}. Write them one way, or list the classes in a file."
        )
    _check_folded(cast, spelled)
    _check_closed(cast, list(spelled))
    if set(spelled) == {"1"} and any(whole_number(v) == "-1" for v in cast.answer.values):
        raise InputError(
            f"{cast.path.name} has the answers 1 and -1, and -1 abstains: only one class is left. "
            "If -1 is a class, list both classes in a file for `--classes`."
        )
    return FileClasses(tuple(sorted(spelled, key=_order))), _remarks(cast, spelled)


def refuse(cast: RawVotes, vote: int, why: str) -> None:
    """Name a vote and say what is wrong with its answer.

    Raises:
        InputError: always.
    """
    raise InputError(
        f"{cast.place(vote)}: answer {shown(_value(cast, vote))} of {cast.who(vote)} {why}"
    )


def _value(cast: RawVotes, vote: int) -> Any:
    return cast.answer.values[cast.answer.codes[vote]]


def _order(name: str) -> tuple[int, str]:
    return (int(name), "") if whole_number(name) else (0, name)


def _no_name(value: Any) -> str:
    if isinstance(value, bool):
        return f"is no class; write {int(value)}, or a class name."
    if isinstance(value, float | str):
        return (
            "is no class; classes are names or whole numbers, and a voter's probabilities go into "
            "`probabilities`. If it is a class name, list the classes in a file for `--classes`."
        )
    return "is no class name or number. For open answers there is `--answers json`."


def _check_columns(cast: RawVotes) -> None:
    """Refuse a column of a wide file that is hardly a voter: most of its answers are its own."""
    voters = len(cast.voters)
    if cast.header.layout != "wide" or voters < 2:
        return
    spelling: dict[str, int] = {}
    texts = [whole_number(value) or repr(value) for value in cast.answer.values]
    same = np.array([spelling.setdefault(text, len(spelling)) for text in texts], dtype=np.int64)
    pairs, votes = np.unique(same[cast.answer.codes] * voters + cast.voter, return_counts=True)
    given_by = np.bincount(pairs // voters)[pairs // voters]
    own = np.bincount(pairs % voters, weights=votes * (given_by == 1), minlength=voters)
    doubtful = 2 * own > np.bincount(pairs % voters, weights=votes, minlength=voters)
    if doubtful.any():
        distinct = np.bincount(pairs % voters, minlength=voters)
        v = int(np.argmax(np.where(doubtful, distinct, -1)))
        vote = int(np.argmax(cast.voter == v))
        raise InputError(
            f"{cast.path.name}: is column {cast.voters[v]!r} a voter? Most of its answers, such as "
            f"{shown(_value(cast, vote))}, stand in no other column. If it is none, take it out or "
            "rename it to `text`; if it is one, list the classes in a file for `--classes`."
        )


def _check_folded(cast: RawVotes, spelled: dict[str, list[int]]) -> None:
    folded: dict[str, str] = {}
    for text in spelled:
        other = folded.setdefault(
            " ".join(unicodedata.normalize("NFKC", text).casefold().split()), text
        )
        if other != text:
            one, two = (cast.answer.first(spelled[name][0]) for name in (text, other))
            raise InputError(
                f"{cast.place(one)}: answer {shown(text)} of {cast.who(one)} differs only in case "
                f"or white space from {shown(other)} of {cast.place(two)}. Write them one way."
            )


def _check_closed(cast: RawVotes, names: list[str]) -> None:
    items = len(cast.ids)
    if len(names) > 20 and (2 * len(names) > items or len(names) * items > LARGE):
        raise InputError(
            f"{cast.path.name} has {len(names):,} distinct answers on {items:,} items, such as "
            f"{shown(names[0])} and {shown(names[1])}: they look like open answers. "
            "Give `--answers number`, `text`, `json` or `slots`; if they are classes, list them in "
            "a file for `--classes`."
        )


def _remarks(cast: RawVotes, spelled: dict[str, list[int]]) -> list[str]:
    values, said = cast.answer.values, []
    for text, codes in spelled.items():
        if len(codes) > 1:
            ways = " and ".join(shown(values[code]) for code in codes)
            said.append(f"The answers {ways} are one class, {text!r}.")
    for text in spelled:
        if text.casefold() in DOUBTFUL:
            said.append(f"The answer {text!r} is taken for a class; an empty answer abstains.")
    return said
