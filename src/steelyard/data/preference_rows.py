"""Preference rows `id?, prompt, chosen, rejected` as questions with two choices.

Which choice is the preferred one is drawn from the row's id, so that its place tells nothing. From
here on a preference is a closed question: votes, estimators and selections work as they are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from steelyard.data.labels import LabelledRow
from steelyard.data.row_fields import RowParser, shown
from steelyard.errors import InputError
from steelyard.io.rows import LocatedRow, Row
from steelyard.types import Split, chosen_position

SIDES = ("chosen", "rejected")


@dataclass(frozen=True, eq=False)
class PairRows:
    """The usable pairs of a file, and how many say nothing."""

    rows: tuple[LabelledRow, ...]  # a label is the number of the chosen answer, 0 or 1
    left_out: dict[str, int]  # reason -> rows

    @property
    def split(self) -> Split:
        truth = np.array([row.label for row in self.rows], dtype=np.int64)
        return Split(tuple(row.question for row in self.rows), truth)


def read_pairs(rows: Iterable[LocatedRow], reader: RowParser) -> PairRows:
    """Pairs of a file; rows with two equal answers or an empty one are left out and counted.

    Args:
        rows: with their places.
        reader: of kind "preference".

    Raises:
        InputError: a field is missing, is no text or too long, or no pair is left.
    """
    pairs = []
    left_out = {"empty answer": 0, "equal answers": 0}
    location = "the file"
    for number, (location, row) in enumerate(rows, start=1):
        question = reader.question(row, location, number)
        answers = [_answer(reader, row, name, f"{location}, id {question.id!r}") for name in SIDES]
        plain = [answer.strip() for answer in answers]
        if not all(plain):
            left_out["empty answer"] += 1
        elif plain[0] == plain[1]:
            left_out["equal answers"] += 1
        else:
            right = chosen_position(question.id)
            choices = tuple(answers if right == 0 else answers[::-1])
            pairs.append(LabelledRow(location, replace(question, choices=choices), right))
    if not pairs:
        raise InputError(
            f"No pair is left up to {location}: each row must have two different answers. Found "
            f"{left_out['empty answer']} with an empty one and {left_out['equal answers']} with "
            "two equal ones."
        )
    return PairRows(tuple(pairs), left_out)


def _answer(reader: RowParser, row: Row, field: str, where: str) -> str:
    """One side of a pair; empty is allowed here, because such rows are counted."""
    value = reader._cell(row, field, where)
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    if not isinstance(value, str):
        raise InputError(
            f"{where}: `{field}` must be a text; got {shown(value)}. Correct or remove the row."
        )
    return reader._check_text(value, field, where)
