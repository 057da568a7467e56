"""Preference rows `id?, prompt, chosen, rejected` as questions with two choices.

The position of the preferred choice is a random bit made of the row's id, so that it tells nothing.
From here on a preference is a closed question: votes, estimators and selections need no changes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

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

    @property
    def split(self) -> Split:
        truth = np.array([row.label for row in self.rows], dtype=np.int64)
        return Split(tuple(row.question for row in self.rows), truth)


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
            right = chosen_position(question.id)
            choices = tuple(answers if right == 0 else answers[::-1])
            pairs.append(LabelledRow(location, replace(question, choices=choices), right))
    if not pairs:
        raise InputError(
            f"No pair remains up to {location}: each row must have two different answers. Found "
            f"{dropped['empty answer']} with an empty answer and {dropped['equal answers']} with "
            "two equal answers."
        )
    return PairRows(tuple(pairs), dropped)


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
