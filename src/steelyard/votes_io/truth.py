"""The true answers of items, joined to the votes by id."""

import numpy as np

from steelyard.errors import InputError
from steelyard.io.columns import Codes, Column
from steelyard.io.row_source import RowSource
from steelyard.types import ABSTAIN, Ints
from steelyard.votes_io.classes import NO_CLASS, FileClasses, OpenAnswers
from steelyard.votes_io.layout import TRUTH, check_named
from steelyard.votes_io.raw_votes import name_column, quoted


def read_truth(
    source: RowSource, ids: tuple[str, ...], label_set: FileClasses | OpenAnswers
) -> Ints:
    """The true answers in rows of `id, truth`, (N,).

    ABSTAIN where the truth is unknown, NO_CANDIDATE where no vote on the item has it.

    Raises:
        InputError: an unknown id, an unknown class, or two truths of one id.
    """
    header = source.header()
    near = [name for name in header if name.casefold() in (*TRUTH, "label", "answer")]
    if "truth" not in header and near:
        raise InputError(f"{source.name} has no column 'truth'; rename {near[0]!r} to `truth`?")
    check_named(source.name, ("id", "truth"), header)
    columns = source.columns(("id", "truth"))
    names, row_id = name_column(source, columns["id"], "id")
    row = {name: i for i, name in enumerate(ids)}
    joined = np.array([row.get(name, -1) for name in names], dtype=np.int32)[row_id]
    if (joined < 0).any():
        first = int(np.argmax(joined < 0))
        raise InputError(
            f"{source.at(first)[0]}: id {names[row_id[first]]!r} is not among the {len(row):,} "
            "ids of the votes. Truth and votes must be about the same items."
        )
    return truth_of(source, columns["truth"], joined, len(row), label_set, "truth")


def truth_of(
    source: RowSource,
    column: Column,
    row_id: Codes,
    size: int,
    label_set: FileClasses | OpenAnswers,
    name: str,
) -> Ints:
    """The true answer of each of `size` items, (N,), from R rows; rows of one id must agree.

    `column` has the true answers, `row_id` (R,) the item of each row; `source` and `name` are for
    messages.

    Raises:
        InputError: an unknown class, or two truths of one id.
    """
    numbers = label_set.numbers(column.values)
    if isinstance(label_set, FileClasses):
        for code in np.flatnonzero(numbers == NO_CLASS):
            raise InputError(
                f"{source.at(column.first(int(code)))[0]}: `{name}` "
                f"{quoted(column.values[code])} is not among the classes "
                f"{quoted(list(label_set.names))}. If voters may give it but never did, give "
                "all class names as `classes`."
            )
    number = numbers[column.codes]
    rows = np.flatnonzero(number != ABSTAIN)
    first = np.full(size, -1, dtype=np.int64)
    first[row_id[rows[::-1]]] = rows[::-1]
    differs = number[rows] != number[first[row_id[rows]]]
    if differs.any():
        row = int(rows[np.argmax(differs)])
        before = int(first[row_id[row]])
        raise InputError(
            f"{source.at(row)[0]}: `{name}` {quoted(column.values[column.codes[row]])} differs "
            f"from {quoted(column.values[column.codes[before]])} of {source.at(before)[0]}, and "
            "both are about the same id. Keep one."
        )
    example = np.flatnonzero(first >= 0)
    truth = np.full(size, ABSTAIN, dtype=np.int64)
    truth[example] = label_set.candidates(example, number[first[example]])
    return truth
