"""Which column of a votes file is what: long, nested, or one column per voter."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from steelyard.errors import InputError

Layout = Literal["long", "nested", "wide"]
LONG = ("id", "voter", "answer")
OPTIONAL = ("query", "probabilities", "reason")
TRUTH = ("truth", "gold", "gold_label", "ground_truth", "true_label", "gt")
"""Names of columns that hold the truth: never voters, and read only when the user names them."""
NO_VOTERS = {
    *("", "index", "level_0", "unnamed: 0", "split", "url", "link", "date", "time", "timestamp"),
    *("text", "sentence", "question", "prompt", "context", "premise", "hypothesis", "choices"),
    *("options", "title", "content", "passage", "document", "comment", "comments", "note", "notes"),
    *("explanation", "rationale", "reason", "description", "created_at", "seed"),
}
"""Columns that are not voters in a file with one column per voter; a note reports them."""
SYNONYMS = {
    "id": ("task", "item", "item_id", "example", "example_id", "question_id", "task_id", "qid"),
    "voter": ("annotator", "worker", "rater", "performer", "labeler", "labeller", "user", "source"),
    "answer": ("label", "response", "vote", "rating", "judgment", "judgement", "choice", "class"),
}
"""Other common names of the columns of long files."""


@dataclass(frozen=True)
class Header:
    """How the columns of a file are read."""

    layout: Layout
    voters: tuple[str, ...]  # columns of votes, of a wide file
    read: tuple[str, ...]  # other columns that are read
    ignored: tuple[str, ...]

    @property
    def truth(self) -> tuple[str, ...]:
        """Ignored columns that look like the truth."""
        return tuple(name for name in self.ignored if name.casefold() in TRUTH)


def find_layout(name: str, columns: Sequence[str], named: Collection[str]) -> Header:
    """What each column is; `named` are columns that the user named as truth.

    Raises:
        InputError: a column is missing or ambiguous.
    """
    named = [column for column in named if column in columns]
    for column in columns:
        if column.casefold() in ("weight", "weights"):
            raise InputError(
                f"{name}: votes have no weights, and column {column!r} would be ignored. "
                "How far each voter can be trusted is estimated; remove the column."
            )
    others = [column for column in columns if column not in named]
    if "votes" in others and "voter" not in others:
        _require(name, others, ("id",))
        read = ("id", "votes", *named)
        return Header("nested", (), read, tuple(c for c in columns if c not in read))
    if "voter" in others or "answer" in others:
        _require(name, others, LONG)
        read = (*(c for c in columns if c in (*LONG, *OPTIONAL)), *named)
        return Header("long", (), read, tuple(c for c in columns if c not in read))
    return _wide(name, columns, others, named)


def _wide(name: str, columns: Sequence[str], others: list[str], named: Collection[str]) -> Header:
    synonyms = {word for words in SYNONYMS.values() for word in words} | {"query", "probabilities"}
    strange = [column for column in others if column.casefold() in synonyms] or _misspelt(others)
    if strange or "id" not in others:
        _require(name, others, LONG, strange)
    voters = tuple(c for c in others if c != "id" and c.casefold() not in {*NO_VOTERS, *TRUTH})
    if not voters:
        raise InputError(
            f"{name} has no votes; found {_listed(columns)}. Votes are rows of `id, voter, "
            "answer`, rows of `id, votes`, or `id` and one column per voter."
        )
    read = ("id", *named)
    return Header("wide", voters, read, tuple(c for c in columns if c not in {*read, *voters}))


def _misspelt(columns: Sequence[str]) -> list[str]:
    """The columns that are misspelt `voter` and `answer`, if there is exactly one of each.

    Several columns like `voter` are voters: voter1, voter2, ...
    """
    near = [difflib.get_close_matches(name, columns) for name in ("voter", "answer")]
    return [match[0] for match in near] if all(len(match) == 1 for match in near) else []


def _separator(columns: Sequence[str]) -> str:
    marks = [mark for mark in ";\t|" if len(columns) == 1 and mark in columns[0]]
    return f"Are its cells separated by {marks[0]!r}? Separate them by commas. " if marks else ""


def _require(
    name: str, columns: Sequence[str], wanted: Sequence[str], strange: Sequence[str] = ()
) -> None:
    for column in wanted:
        if column not in columns:
            hint = f"{_separator(columns)}{_rename(column, columns)}"
            wide = ""
            if strange:
                wide = (
                    f"; of one column per voter, rename {strange[0]!r} to a name, `text` or `truth`"
                )
            raise InputError(
                f"{name}: column `{column}` is missing, found {_listed(columns)}. {hint}"
                f"Votes are rows of `id, voter, answer`{wide}."
            )


def _rename(name: str, columns: Sequence[str]) -> str:
    free = [column for column in columns if column not in LONG]
    other = [column for column in free if column.casefold() in (name, *SYNONYMS.get(name, ()))]
    near = other or difflib.get_close_matches(name, free, n=1)
    return f"Rename {near[0]!r} to `{name}`? " if near else ""


def check_named(name: str, named: Collection[str], columns: Collection[str]) -> None:
    """Raise InputError for the name of a column that no row has, with the nearest column."""
    for column in named:
        if column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(
                f"{name} has no column {column!r}; found {_listed(list(columns))}.{hint}"
            )


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(ascii(name)[1:-1] or "''" for name in columns[:12])
    return shown + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")
