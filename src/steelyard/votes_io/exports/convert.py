"""Rows of a known export as rows of `id, voter, answer`."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from steelyard.errors import InputError, printable
from steelyard.io.columns import Encoder
from steelyard.io.row_source import ConvertedRows, RowSource
from steelyard.io.rows import Row
from steelyard.votes_io.exports.annotation_tools import ANNOTATION_TOOLS
from steelyard.votes_io.exports.export import Export, Vote, item_text, part
from steelyard.votes_io.exports.model_logs import MODEL_LOGS
from steelyard.votes_io.exports.tables import of_table, table_of, without_refused
from steelyard.votes_io.read_options import ROW_NUMBER, ReadOptions
from steelyard.votes_io.values import names_shown

EXPORTS: tuple[Export, ...] = (*ANNOTATION_TOOLS, *MODEL_LOGS)


def as_long_rows(
    source: RowSource, truth: Collection[str], options: ReadOptions
) -> tuple[RowSource, ReadOptions, tuple[str, ...]]:
    """Rows of an export as long rows, what is left of the options, and notes; others unchanged.

    Args:
        source: the rows.
        truth: columns with the truth, which may be dotted paths into nested values.
        options: how to read; the columns may be dotted paths.

    Raises:
        InputError: an export has several questions, and the user named none, or holds no vote.
    """
    first = next(iter(source.rows()))[1]
    paths = [name for name in (*options.columns.values(), *truth) if _is_path(name, first)]
    table, dropped = table_of(list(first)), tuple[str, ...]()
    if not {"id", "voter"} & {*options.columns}:
        if table is not None:
            source, dropped = without_refused(table, source)
        for export in EXPORTS:
            if export.matches(first):
                question = options.columns.get("answer")
                rows = _votes(source, export, truth, question)
                others = {k: v for k, v in options.columns.items() if k != "answer"}
                notes = (f"Read as {export.name}. {export.note}".strip(), *dropped)
                return rows, replace(options, columns=others), notes
    if paths:
        flat = ({**row, **{path: part(row, path) for path in paths}} for _, row in source.rows())
        return _encoded(source, enumerate(flat)), options, dropped
    if table is None or (options.voters and {*options.voters} <= {*first}):
        return source, options, dropped
    return source, of_table(table, source.name, list(first), options), dropped


def _is_path(name: str, first: Row) -> bool:
    return name != ROW_NUMBER and name not in first and name.partition(".")[0] in first


def _votes(
    source: RowSource, export: Export, truth: Collection[str], question: str | None
) -> ConvertedRows:
    questions: dict[str, None] = {}

    def votes() -> Iterator[tuple[int, Vote]]:
        for number, (location, row) in enumerate(source.rows()):
            true_answers = {name: part(row, name) for name in truth}
            text = {} if (found_text := item_text(row)) is None else {"text": found_text}
            for vote in _checked(export, location, row):
                name = vote.pop("question", None)
                if name is not None:
                    questions.setdefault(name)
                if name is None or question is None or name == question:
                    yield number, {**text, **vote, **true_answers}

    rows = _encoded(source, votes())
    if question is None and len(questions) > 1:
        raise InputError(
            f"{source.name} ({export.name}) has the questions {names_shown(list(questions), 8)}. "
            f"Name one with `columns`, such as answer={printable(next(iter(questions)))}."
        )
    if len(rows.origin) == 0:
        named = f" to the question {question!r}" if question else ""
        others = f"; it has {names_shown(list(questions), 8)}" if questions else ""
        raise InputError(f"{source.name} ({export.name}) has no answer{named}{others}.")
    return rows


def _checked(export: Export, location: str, row: Row) -> Iterable[Vote]:
    try:
        return list(export.votes(row))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{location} has not the shape of {export.name} ({type(error).__name__}: {error}). "
            f"It is documented at {export.source}."
        ) from error


def _encoded(source: Any, rows: Iterable[tuple[int, Row]]) -> ConvertedRows:
    encoders: dict[str, Encoder] = {}
    origin: list[int] = []
    for number, row in rows:
        for name, value in row.items():
            encoder = encoders.setdefault(name, Encoder())
            encoder.fill(len(origin))
            encoder.add(value)
        origin.append(number)
    for encoder in encoders.values():
        encoder.fill(len(origin))
    table = {name: encoder.column() for name, encoder in encoders.items()}
    return ConvertedRows(source, table, np.array(origin, dtype=np.int32))
