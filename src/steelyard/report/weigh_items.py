"""The labelled items of a weighing, and those that the page shows: the least sure first."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from steelyard.report.formats import plain, shortened
from steelyard.types import ABSTAIN, Floats, Ints, Votes

MOST_ITEMS = 20_000
MOST_VOTES = 1_000_000
"""Items and votes in the page; more make it slow to open."""
STATIC = 50  # items of the table that needs no script
TEXT_BUDGET = 8_000_000  # characters of all texts in the page
LONGEST_TEXT, SHORTEST_TEXT = 4000, 300
NAMES = 12  # voters named for an answer in the table that needs no script
UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, eq=False)
class LabelledItems:
    """N items with their votes and labels."""

    votes: Votes
    label: Ints  # (N,), ABSTAIN where nobody answered
    score: Floats  # (N,) in [0, 1]
    truth: Ints  # (N,), ABSTAIN where unknown; NO_CANDIDATE where no vote has it
    slices: tuple[str, ...] = ()  # (N,), or empty
    texts: tuple[str, ...] = ()  # (N,), or empty

    @cached_property
    def readable(self) -> Ints:
        """Readable votes of each item, (N,)."""
        given = self.votes.example[self.votes.answer != ABSTAIN]
        return np.bincount(given, minlength=len(self.votes.ids))

    @cached_property
    def disagreement(self) -> Floats:
        """Share of an item's readable votes that do not name its label, (N,); NaN without votes."""
        votes = self.votes
        differs = (votes.answer != ABSTAIN) & (votes.answer != self.label[votes.example])
        dissent = np.bincount(votes.example[differs], minlength=len(votes.ids))
        with np.errstate(invalid="ignore"):
            share: Floats = dissent / np.where(self.readable > 0, self.readable, np.nan)
        return share

    @cached_property
    def names(self) -> list[str | None]:
        """The label of each item, (N,)."""
        return self.votes.answer_names(self.label)

    @cached_property
    def least_sure(self) -> Ints:
        """All items: the lowest score first, ties as in the file, items without a label last."""
        order: Ints = np.lexsort((self.score, self.label == ABSTAIN))
        return order

    @cached_property
    def shown(self) -> Ints:
        """The items of the page: at most MOST_ITEMS, with at most MOST_VOTES votes."""
        rows = self.least_sure[:MOST_ITEMS]
        sizes = np.bincount(self.votes.example, minlength=len(self.votes.ids))
        return rows[np.cumsum(sizes[rows]) <= MOST_VOTES]


@dataclass(frozen=True)
class AnswerLine:
    """Who gives one answer to an item."""

    answer: str
    votes: int
    voters: str
    is_dissent: bool


@dataclass(frozen=True)
class ItemLine:
    """An item in the table that needs no script."""

    id: str
    text: str
    label: str
    score: str
    slice: str
    answers: tuple[AnswerLine, ...]


def item_lines(items: LabelledItems) -> list[ItemLine]:
    """The STATIC least sure items."""
    return [_item_line(items, int(row)) for row in items.shown[:STATIC]]


def _item_line(items: LabelledItems, row: int) -> ItemLine:
    votes, label = items.votes, int(items.label[row])
    first, end = np.searchsorted(votes.example, (row, row + 1))
    voters: dict[int, Counter[str]] = {}
    for m in range(first, end):
        named = voters.setdefault(int(votes.answer[m]), Counter())
        named[votes.voters[votes.voter[m]]] += 1
    ranked = sorted(voters, key=lambda a: (a == ABSTAIN, a != label, -voters[a].total(), a))
    answers = tuple(
        AnswerLine(
            "no answer" if a == ABSTAIN else shortened(_answer_name(votes, row, a), 60),
            voters[a].total(),
            _voters(voters[a]),
            a not in (ABSTAIN, label),
        )
        for a in ranked
    )
    return ItemLine(
        id=plain(votes.ids[row]),
        text=shortened(items.texts[row], 240) if items.texts else "",
        label="no label" if label < 0 else plain(items.names[row]),
        score=f"{items.score[row]:.3f}",
        slice=plain(items.slices[row]) if items.slices else "",
        answers=answers,
    )


def _voters(counts: Counter[str]) -> str:
    names = [plain(n) if times == 1 else f"{plain(n)} \u00d7{times}" for n, times in counts.items()]
    rest = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + rest


def _answer_name(votes: Votes, row: int, answer: int) -> str:
    if votes.candidate_texts:
        return votes.candidate_texts[row][answer]
    return votes.class_names[answer]


def page_data(items: LabelledItems) -> dict[str, Any]:
    """The items of the page as JSON values: columns, with names as numbers in lists of names.

    `votes` has for each item its voters and their answers by turns; an answer of -1 abstains.
    """
    votes, rows = items.votes, items.shown
    position = np.full(len(votes.ids), -1, dtype=np.int64)
    position[rows] = np.arange(len(rows))
    kept = np.flatnonzero(position[votes.example] >= 0)
    kept = kept[np.argsort(position[votes.example[kept]], kind="stable")]
    used, voter = np.unique(votes.voter[kept], return_inverse=True)
    answers = _Answers(votes)
    pairs = np.column_stack([voter, answers.numbers(votes.example[kept], votes.answer[kept])])
    sizes = np.bincount(position[votes.example[kept]], minlength=len(rows))
    ends = np.cumsum(sizes)
    flat = pairs.ravel().tolist()
    longest = min(max(TEXT_BUDGET // max(len(rows), 1), SHORTEST_TEXT), LONGEST_TEXT)
    slices = sorted({items.slices[row] for row in rows}) if items.slices else []
    slice_number = {name: number for number, name in enumerate(slices)}
    has_truth = bool((items.truth != ABSTAIN).any())
    return {
        "total": len(votes.ids),
        "row": rows.tolist(),
        "ids": [votes.ids[row] for row in rows],
        "texts": [_clipped(items.texts[row], longest) for row in rows] if items.texts else None,
        "label": answers.numbers(rows, items.label[rows]).tolist(),
        "score": np.round(items.score[rows], 4).tolist(),
        "truth": answers.numbers(rows, items.truth[rows]).tolist() if has_truth else None,
        "slice": [slice_number[items.slices[row]] for row in rows] if slices else None,
        "votes": [flat[2 * (end - size) : 2 * end] for end, size in zip(ends, sizes, strict=True)],
        "voters": [votes.voters[v] for v in used],
        "slices": slices,
        "answers": answers.names,
    }


class _Answers:
    """Numbers of answers in one list of names, which is that of the classes if there are any."""

    def __init__(self, votes: Votes) -> None:
        self._votes = votes
        self._numbers: dict[str, int] = {}
        self.names = [] if votes.candidate_texts else list(votes.class_names)

    def numbers(self, rows: Ints, answer: Ints) -> Ints:
        """The number of each answer, (M,), to items `rows` (M,); negative ones stay."""
        if not self._votes.candidate_texts:
            return answer
        texts = self._votes.candidate_texts
        pairs = zip(rows.tolist(), answer.tolist(), strict=True)
        named = [self._number(texts[row][a]) if a >= 0 else a for row, a in pairs]
        return np.array(named, dtype=np.int64)

    def _number(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.names)
            self.names.append(text)
        return self._numbers[text]


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def inert_json(values: Any) -> str:
    """JSON that can stand in a `<script>` element: no `<`, `>`, `&` or line separators.

    >>> inert_json(["</script>"])
    '["\\\\u003c/script\\\\u003e"]'
    """
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
