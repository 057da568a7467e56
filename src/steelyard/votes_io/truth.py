"""The true answers of items, joined to the votes by id."""

from collections.abc import Mapping, Sequence

import numpy as np

from steelyard.errors import InputError
from steelyard.io.columns import Codes, Column
from steelyard.io.row_source import LocatedRows, RowSource
from steelyard.types import ABSTAIN, Ints
from steelyard.votes_io.classes import NO_CLASS, FileClasses, OpenAnswers
from steelyard.votes_io.column_names import (
    TRUTH,
    candidates,
    column_key,
    index_column,
    truth_like,
)
from steelyard.votes_io.layout import check_named
from steelyard.votes_io.names import name_column
from steelyard.votes_io.values import quoted, whole_number


def read_truth(
    source: RowSource, ids: tuple[str, ...], label_set: FileClasses | OpenAnswers
) -> Ints:
    """The true answers of `joined_truth`."""
    return joined_truth(source, ids, label_set)[0]


def joined_truth(
    source: RowSource,
    ids: tuple[str, ...],
    label_set: FileClasses | OpenAnswers,
    columns: Mapping[str, str] | None = None,
) -> tuple[Ints, int]:
    """The true answers in rows of an id and its truth, (N,), and how many rows have other ids.

    ABSTAIN where the truth is unknown, NO_CANDIDATE where no vote on the item has it.

    Args:
        source: the rows.
        ids: of the N items.
        label_set: the classes.
        columns: the user's names of the columns of the votes; that of `id` counts if it is here.

    Raises:
        InputError: no column is the id or the truth, no row is about any of the ids, an unknown
            class, or two truths of one id.
    """
    header = source.header()
    id_name = _id_column(source.name, header, columns or {})
    name = _truth_column(source.name, [column for column in header if column != id_name])
    read = source.columns((id_name, name))
    names, row_id = name_column(source, read[id_name], id_name)
    row = {item: i for i, item in enumerate(ids)}
    joined = np.array([row.get(item, -1) for item in names], dtype=np.int32)[row_id]
    kept = np.flatnonzero(joined >= 0)
    if len(kept) == 0:
        raise InputError(
            f"{source.at(0)[0]}: id {names[row_id[0]]!r} is not among the {len(row):,} ids of the "
            "votes, nor is any other. Truth and votes must be about the same items."
        )
    truth = truth_of(source, read[name], joined, len(row), label_set, name)
    return truth, len(joined) - len(kept)


def _id_column(name: str, header: Sequence[str], columns: Mapping[str, str]) -> str:
    if columns.get("id") in header:
        return columns["id"]
    names = candidates("id", header)[0]
    if len(names) == 1:
        return names[0]
    index = index_column(header)
    if index is None or names:
        check_named(name, ("id",), header)
    return str(index)


def _truth_column(name: str, columns: Sequence[str]) -> str:
    """The only column that may hold the truth."""
    if "truth" in columns:
        return "truth"
    alike = [column for column in columns if column_key(column) in map(column_key, TRUTH)]
    alike = alike or truth_like(columns) or candidates("answer", columns)[0]
    if len(alike) > 1:
        shown = ", ".join(map(repr, alike[:4]))
        raise InputError(f"{name} has no column 'truth'; rename one of {shown} to `truth`?")
    if not alike:
        check_named(name, ("truth",), columns)
    return alike[0]


def truth_of(
    source: LocatedRows,
    column: Column,
    row_id: Codes,
    size: int,
    label_set: FileClasses | OpenAnswers,
    name: str,
) -> Ints:
    """The true answer of each of `size` items, (N,), from R rows; rows of one id must agree.

    `column` has the true answers, `row_id` (R,) the item of each row, or -1 for none; `source` and
    `name` are for messages.

    Raises:
        InputError: an unknown class, or two truths of one id.
    """
    numbers = label_set.numbers(column.values)
    if isinstance(label_set, FileClasses):
        _check_minus_one(source, column, label_set, name, row_id)
        about = np.unique(column.codes[row_id >= 0])
        for code in about[numbers[about] == NO_CLASS]:
            raise InputError(
                f"{source.at(column.first(int(code)))[0]}: `{name}` "
                f"{quoted(column.values[code])} is not among the classes "
                f"{quoted(list(label_set.names))}. If voters may give it but never did, give "
                "all class names as `classes`."
            )
    number = numbers[column.codes]
    rows = np.flatnonzero((number != ABSTAIN) & (row_id >= 0))
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


def _check_minus_one(
    source: LocatedRows, column: Column, label_set: FileClasses, name: str, row_id: Codes
) -> None:
    """Refuse a truth of -1 that is no class: it would be lost without a word."""
    if "-1" in label_set.names or label_set.options.abstains("-1"):
        return
    for code, value in enumerate(column.values):
        rows = np.flatnonzero((column.codes == code) & (row_id >= 0))
        if whole_number(value) == "-1" and len(rows):
            raise InputError(
                f"{source.at(int(rows[0]))[0]}: `{name}` is {quoted(value)}, on {len(rows):,} "
                "rows. If -1 is a class, give all class names as `classes`; if the truth is not "
                "known there, leave it empty, or give -1 as `abstain`."
            )
