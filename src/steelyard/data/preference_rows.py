"""Preference rows `id?, prompt, chosen, rejected` as questions with two choices.

The position of the preferred choice is a random bit made of the row's id and of a salt, a hash of
all pairs of the file with their truth: nobody without the truth of every row can compute it.
From here on a preference is a closed question: votes, estimators and selections need no changes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from steelyard.data.labels import LabelledRow
from steelyard.data.row_fields import RowParser, abridged
from steelyard.errors import InputError
from steelyard.io.rows import LocatedRow, Row
from steelyard.types import Split, chosen_position

SIDES = ("chosen", "rejected")


@dataclass(frozen=True, eq=False)
class PairRows:
    """The usable pairs of a file, and how many were dropped."""

    rows: tuple[LabelledRow, ...]  # a label is the number of the chosen answer, 0 or 1
    dropped: dict[str, int]  # reason -> rows
    salt: str  # of the positions of the chosen answers

    @property
    def split(self) -> Split:
        truth = np.array([row.label for row in self.rows], dtype=np.int64)
        questions = tuple(row.question for row in self.rows)
        return Split(questions, truth, (), self.salt, *tags(self.rows))


def row_tags(parser: RowParser, row: Row, location: str, name: str) -> tuple[str, str]:
    """Group and slice of a row."""
    where = f"{location}, id {name!r}"
    return parser.tag(row, "group", where), parser.tag(row, "slice", where)


def tags(rows: Sequence[LabelledRow]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`groups` and `slices` of a split; empty where no row has any."""
    groups, slices = tuple(row.group for row in rows), tuple(row.slice for row in rows)
    return groups if any(groups) else (), slices if any(slices) else ()


def read_pairs(rows: Iterable[LocatedRow], parser: RowParser) -> PairRows:
    """Pairs of a file; rows with two equal answers or an empty answer are dropped and counted.

    Raises:
        InputError: a field is missing, is no text or too long, or no pair remains.
    """
    pairs = []
    dropped = {"empty answer": 0, "equal answers": 0}
    location = "the file"
    for number, (location, row) in enumerate(rows, start=1):
        question = parser.question(row, location, number)
        answers = [_answer(parser, row, name, f"{location}, id {question.id!r}") for name in SIDES]
        plain = [answer.strip() for answer in answers]
        if not all(plain):
            dropped["empty answer"] += 1
        elif plain[0] == plain[1]:
            dropped["equal answers"] += 1
        else:
            tagged = row_tags(parser, row, location, question.id)
            question = replace(question, choices=tuple(answers))
            pairs.append(LabelledRow(location, question, 0, False, *tagged))
    if not pairs:
        raise InputError(
            f"No pair remains up to {location}: each row must have two different answers. Found "
            f"{dropped['empty answer']} with an empty answer and {dropped['equal answers']} with "
            "two equal answers."
        )
    salt = _salt(pairs)
    return PairRows(tuple(_placed(pair, salt) for pair in pairs), dropped, salt)


def _salt(pairs: Sequence[LabelledRow]) -> str:
    """Hash of all pairs in their order, chosen answer first."""
    digest = blake2b(digest_size=8)
    for pair in pairs:
        digest.update(repr(pair.question).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _placed(pair: LabelledRow, salt: str) -> LabelledRow:
    """The pair, chosen answer first, with that answer at its random position."""
    right, question = chosen_position(pair.question.id, salt), pair.question
    choices = question.choices if right == 0 else question.choices[::-1]
    return replace(pair, question=replace(question, choices=choices), label=right)


def _answer(parser: RowParser, row: Row, field: str, where: str) -> str:
    """One answer of a pair; it may be empty, because such rows are counted."""
    value = parser.cell(row, field, where)
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    if not isinstance(value, str):
        raise InputError(
            f"{where}: `{field}` must be a text; got {abridged(value)}. Correct or remove the row."
        )
    return parser.check_text(value, field, where)
