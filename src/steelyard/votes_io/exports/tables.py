"""Exports that are tables with one row per vote: only the names of columns are unusual."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from steelyard.errors import InputError
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
    ),
    TableExport(
        "Toloka",
        "https://toloka.ai/docs/guide/result-of-eval/",
        "ASSIGNMENT:task_id",
        "ASSIGNMENT:worker_id",
        _starting("OUTPUT:"),
    ),
    TableExport(
        "Appen (full report)",
        "https://success.appen.com/hc/en-us/articles/202703195-Guide-to-Reports-Page",
        "_unit_id",
        "_worker_id",
        _with_gold,
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


def of_table(name: str, columns: Sequence[str], options: ReadOptions) -> ReadOptions:
    """The options with the names of columns of a known table; unchanged for another one.

    Raises:
        InputError: several columns hold answers, and the user named none.
    """
    for table in TABLES:
        if not {table.id, table.voter, *table.also} <= {*columns}:
            continue
        where = {"id": table.id, "voter": table.voter, **options.columns}
        if "answer" not in where and "answer" not in columns:
            taken = {*where.values()}
            answers = [c for c in table.answers(columns) if c not in taken]
            if len(answers) != 1:
                names = names_shown(answers, 8) or names_shown(columns)
                raise InputError(
                    f"{name} ({table.name}): which column has the answers, {names}? Name it with "
                    f"`columns`, such as answer={(answers or ['COLUMN'])[0]}."
                )
            where["answer"] = answers[0]
        return replace(options, columns=where)
    return options
