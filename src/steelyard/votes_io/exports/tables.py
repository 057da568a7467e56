"""Exports that are tables with one row per vote: only the names of columns are unusual."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from steelyard.errors import InputError, printable
from steelyard.io.counted import counted
from steelyard.io.row_source import ConvertedRows, RowSource
from steelyard.votes_io.column_names import is_metadata, truth_like
from steelyard.votes_io.read_options import ReadOptions
from steelyard.votes_io.values import names_shown


@dataclass(frozen=True)
class TableExport:
    """Columns of the id and the voter, and those that may hold the answer."""

    name: str
    source: str  # where the shape is documented
    id: str
    voter: str
    answers: Callable[[Sequence[str]], list[str]]  # columns -> those with answers
    also: tuple[str, ...] = ()  # other columns that it always has
    status: str = ""  # the column that says whether the requester accepted the answer
    refused: tuple[str, ...] = ()  # its values of answers that do not count, in lower case


def _starting(text: str) -> Callable[[Sequence[str]], list[str]]:
    return lambda columns: [c for c in columns if c.startswith(text)]


def _with_gold(columns: Sequence[str]) -> list[str]:
    return [c for c in columns if f"{c}_gold" in columns or f"{c}:confidence" in columns]


def _label_studio(columns: Sequence[str]) -> list[str]:
    fixed = ("annotation_id", "annotator", "id", "_row_id", "source", "project")
    left = [c for c in columns if c not in fixed and not is_metadata(c)]
    return [c for c in left if c not in truth_like(left) and not re.search(r"_(id|at|time)$", c)]


TABLES = (
    TableExport(
        "MTurk",
        "https://docs.aws.amazon.com/AWSMechTurk/latest/RequesterUI/DownloadingResults.html",
        "HITId",
        "WorkerId",
        _starting("Answer."),
        status="AssignmentStatus",
        refused=("rejected",),
    ),
    TableExport(
        "Toloka",
        "https://toloka.ai/docs/guide/result-of-eval/",
        "ASSIGNMENT:task_id",
        "ASSIGNMENT:worker_id",
        _starting("OUTPUT:"),
        status="ASSIGNMENT:status",
        refused=("rejected", "skipped", "expired"),
    ),
    TableExport(
        "Appen (full report)",
        "https://success.appen.com/hc/en-us/articles/202703195-Guide-to-Reports-Page",
        "_unit_id",
        "_worker_id",
        _with_gold,
        status="_tainted",
        refused=("true",),
    ),
    TableExport(
        "Label Studio (CSV, JSON_MIN)",
        "https://labelstud.io/guide/export.html",
        "id",
        "annotator",
        _label_studio,
        ("annotation_id",),
    ),
)


def table_of(columns: Sequence[str]) -> TableExport | None:
    """The known table that has these columns."""
    return next((t for t in TABLES if {t.id, t.voter, *t.also} <= {*columns}), None)


def of_table(
    table: TableExport, name: str, columns: Sequence[str], options: ReadOptions
) -> ReadOptions:
    """The options with the names of columns of a known table.

    Raises:
        InputError: several columns hold answers, and the user named none.
    """
    where = {"id": table.id, "voter": table.voter, **options.columns}
    if "answer" not in where and "answer" not in columns:
        taken = {*where.values()}
        answers = [c for c in table.answers(columns) if c not in taken]
        if len(answers) != 1:
            names = names_shown(answers, 8) or names_shown(columns)
            raise InputError(
                f"{name} ({table.name}): which column has the answers, {names}? Name it with "
                f"`columns`, such as answer={printable((answers or ['COLUMN'])[0])}."
            )
        where["answer"] = answers[0]
    return replace(options, columns=where)


def without_refused(table: TableExport, source: RowSource) -> tuple[RowSource, tuple[str, ...]]:
    """The rows whose answers the requester accepted or has not judged yet, and a note on others.

    Raises:
        InputError: none is left.
    """
    if table.status not in source.header():
        return source, ()
    status = source.columns([table.status])[table.status]
    refused = np.array([str(x).strip().casefold() in table.refused for x in status.values])
    kept = np.flatnonzero(~refused[status.codes])
    number = len(status.codes) - len(kept)
    if not number:
        return source, ()
    keep = "To keep them, name the columns of id and voter with `columns`."
    values = names_shown([str(status.values[i]) for i in np.flatnonzero(refused)])
    text = f"with `{table.status}` {values}"
    if not len(kept):
        raise InputError(f"{source.name} ({table.name}) has only answers {text}. {keep}")
    rows = {name: column.take(kept) for name, column in source.columns().items()}
    note = f"{counted(number, 'answer')} {text}: dropped. {keep}"
    return ConvertedRows(source, rows, kept.astype(np.int32)), (note,)
