"""What votes give away without any truth: position, a single class, nothing but abstentions."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from steelyard.prompts import PromptedQuestion
from steelyard.types import ABSTAIN, Ints, Votes

FEWEST = 20  # votes that are judged
LEVEL = 0.001  # probability of such votes by chance
ONE_CLASS = 0.95  # share of the votes for one answer that is said
POSITION = 0.5  # how far the share of a position is above chance, of what it could be at most
ADVICE_LETTERS = (
    "set `answer: cloze` or `auto` (scored supervisors), `calibrate: batch`, or ask another model"
)
ADVICE_CLASS = "set `calibrate: batch` or `answer: auto`, give `examples`, or ask another model"
ADVICE_EMPTY = "look at the replies, and change `chat`, `templates`, `answer_format` or `model`"


def shown_positions(votes: Votes, asked: Sequence[PromptedQuestion]) -> tuple[Ints, Ints]:
    """Position at which each vote's answer was shown, and the number of positions, (M,) each.

    Args:
        votes: M votes.
        asked: a prompt for each vote; where it does not list the answers in an order of its own,
            or the vote abstains, the position is -1.
    """
    position = np.full(len(votes.answer), -1, dtype=np.int64)
    size = np.ones(len(votes.answer), dtype=np.int64)
    if _has_names(votes) and len({prompt.order for prompt in asked}) == 1:
        return position, size  # the position is the class
    for m, (answer, prompt) in enumerate(zip(votes.answer.tolist(), asked, strict=True)):
        if answer != ABSTAIN and len(prompt.order) > 1:
            position[m], size[m] = prompt.order.index(answer), len(prompt.order)
    return position, size


def vote_patterns(votes: Votes, position: Ints, size: Ints) -> list[str]:
    """A sentence for each voter whose votes follow the position, or one class, or abstain.

    - Position: of at least 20 votes so many name one position that chance has it with
      P < 0.001 (binomial, for each of the positions), and the share is more than half of the way
      from chance to all of them. Only orders that vary from question to question count.
    - One class: at least 95 % of 20 or more votes of a query are for one class, of a binary or
      larger task whose classes are the same for every question.
    - Abstentions: all of 20 or more votes of a query.

    Args:
        votes: M votes.
        position: (M,), where the answer of each was shown; -1 for none.
        size: (M,), how many positions there were.
    """
    found = []
    for v, name in enumerate(votes.voters):
        rows = votes.voter == v
        follows = _follows_position(name, position[rows], size[rows])
        found += [follows] if follows else []
        of_class, empty = [], []
        for q, query in enumerate(votes.queries):
            mine = np.flatnonzero(rows & (votes.query == q))
            if len(mine) < FEWEST:
                continue
            answers = votes.answer[mine]
            if (answers == ABSTAIN).all():
                empty.append((query, mine))
            elif one := _one_class(votes, answers):
                of_class.append((query, *one))
        found += [_class_sentence(name, of_class, votes.classes)] if of_class else []
        found += [_empty_sentence(name, votes, empty)] if empty else []
    return found


def _follows_position(name: str, position: Ints, size: Ints) -> str:
    shown = position >= 0
    count = int(shown.sum())
    if count < FEWEST:
        return ""
    counts = np.bincount(position[shown])
    best = int(counts.argmax())
    chance = float((1 / size[shown]).mean())
    share = counts[best] / count
    above = share - chance > POSITION * (1 - chance)
    likely = binomtest(int(counts[best]), count, chance, alternative="greater").pvalue
    if not above or likely * int(size.max()) >= LEVEL:
        return ""
    return (
        f"{name}: {counts[best]:,} of {count:,} votes name the option shown at position "
        f"{best + 1}, whichever it is (chance {chance * count:,.0f}): they follow the position and "
        f"say next to nothing about the options; {ADVICE_LETTERS}."
    )


def _one_class(votes: Votes, answers: Ints) -> tuple[int, int, int] | None:
    """Number, count and total of a class with nearly all answers."""
    read = answers[answers != ABSTAIN]
    if not _has_names(votes) or len(read) < FEWEST:
        return None
    counts = np.bincount(read)
    best = int(counts.argmax())
    return (best, int(counts[best]), len(read)) if counts[best] >= ONE_CLASS * len(read) else None


def _has_names(votes: Votes) -> bool:
    """Whether answers are classes; the numbers of options have no meaning of their own."""
    return bool(votes.classes) and votes.classes[0] != "0"


def _class_sentence(
    name: str, found: Sequence[tuple[str, int, int, int]], classes: Sequence[str]
) -> str:
    parts = [
        f"{classes[k]} {count:,} of {total:,} in `{query}`" for query, k, count, total in found[:5]
    ]
    more = "" if len(found) <= 5 else f" and {len(found) - 5} more queries"
    return f"{name}: votes of one class ({', '.join(parts)}{more}); {ADVICE_CLASS}."


def _empty_sentence(name: str, votes: Votes, empty: Sequence[tuple[str, Ints]]) -> str:
    rows = np.concatenate([mine for _, mine in empty])
    reasons = Counter(votes.reasons[m] or "no answer" for m in rows) if votes.reasons else Counter()
    why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(3))
    names = ", ".join(f"`{query}`" for query, _ in empty[:5])
    return (
        f"{name}: all {len(rows):,} votes of {names} abstain{f' ({why})' if why else ''}; "
        f"{ADVICE_EMPTY}."
    )
