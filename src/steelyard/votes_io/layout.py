"""Which column of a votes file is what: long, nested, or one column per voter."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from steelyard.errors import InputError
from steelyard.votes_io.column_names import (
    LISTS,
    candidates,
    column_key,
    index_column,
    is_metadata,
    is_synonym,
    text_column,
    truth_like,
)
from steelyard.votes_io.read_options import READ_AS_IS, ROW_NUMBER, ReadOptions

Layout = Literal["long", "nested", "wide"]
LONG = ("id", "voter", "answer")
OPTIONAL = ("query", "probabilities", "reason", "order")


@dataclass(frozen=True)
class Header:
    """How the columns of a file are read."""

    layout: Layout
    voters: tuple[str, ...]  # columns of votes, of a wide file
    read: tuple[str, ...]  # other columns that are read
    ignored: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)  # role -> column

    @property
    def truth(self) -> tuple[str, ...]:
        """Ignored columns that look like the truth."""
        return tuple(truth_like(self.ignored))

    @property
    def text(self) -> str | None:
        """The ignored column with the text of the items."""
        return text_column(self.ignored)

    @property
    def renamed(self) -> dict[str, str]:
        """Roles of columns with another name."""
        return {r: n for r, n in self.columns.items() if n not in (r, "votes")}


def find_layout(
    name: str,
    first: dict[str, Any] | Sequence[str],
    named: Collection[str],
    options: ReadOptions = READ_AS_IS,
    *,
    has_voter: bool = False,
) -> Header:
    """What each column is.

    Args:
        name: of the file, for messages.
        first: the first row, or the names of its columns.
        named: columns that the user named as truth.
        options: columns that the user named otherwise.
        has_voter: whether a row without a voter's name has one: that of its file.

    Raises:
        InputError: a column is missing or ambiguous.
    """
    columns = list(first)
    named = [column for column in named if column in columns]
    for column in columns:
        if column.casefold() in ("weight", "weights"):
            raise InputError(
                f"{name}: votes have no weights, and column {column!r} would be ignored. "
                "How far each voter can be trusted is estimated; remove the column."
            )
    others = [column for column in columns if column not in named]
    check_named(name, [c for c in options.columns.values() if c != ROW_NUMBER], columns)
    if holder := _list_of_votes(first, others, options):
        where = {"id": _id_column(name, others, options), "votes": holder}
        read = (*where.values(), *named)
        return Header("nested", (), read, tuple(c for c in columns if c not in read), where)
    if has_voter and not _roles(others, options).get("voter"):
        where = {"id": _id_column(name, others, options)}
        where["answer"] = _single(name, "answer", others, options) or _missing(name, others)
    elif _is_long(others, options):
        where = {role: _single(name, role, others, options) or "" for role in LONG}
        where["id"] = where["id"] or index_column(others) or ""
        _require(name, others, [role for role in LONG if not where[role]])
    else:
        return _wide(name, columns, others, named, options)
    where |= {role: options.columns.get(role, role) for role in OPTIONAL}
    read = (*where.values(), *named)
    return Header("long", (), read, tuple(c for c in columns if c not in read), where)


def _list_of_votes(first: Any, others: Sequence[str], options: ReadOptions) -> str | None:
    """The column with the list of the votes on an item."""
    if {"voter", "answer"} & {*options.columns} or "voter" in others:
        return None
    if "votes" in others:
        return "votes"
    values = first if isinstance(first, dict) else {}
    for column in others:
        value = values.get(column)
        entries = value if isinstance(value, list) else []
        if column_key(column) in LISTS and entries and all(isinstance(x, dict) for x in entries):
            return column
    return None


def _roles(others: Sequence[str], options: ReadOptions) -> dict[str, list[str]]:
    named = options.columns
    free = [column for column in others if column not in named.values()]
    return {r: [named[r]] if r in named else candidates(r, free)[0] for r in LONG}


def _is_long(others: Sequence[str], options: ReadOptions) -> bool:
    """Whether rows are votes. Names that often mean something else need the whole header."""
    if {"voter", "answer"} & {*options.columns, *others}:
        return True
    if options.voters and set(options.voters) <= set(others):
        return False
    roles = _roles(others, options)
    if not roles["voter"] or not roles["answer"]:
        return False
    if candidates("voter", others)[1]:
        return True
    named = [name for names in roles.values() for name in names]
    left = [c for c in others if c not in named and not is_metadata(c) and c not in OPTIONAL]
    return not [column for column in left if column not in truth_like(left)]


def _single(name: str, role: str, others: Sequence[str], options: ReadOptions) -> str | None:
    """The column with a role, if there is one; InputError if there are several."""
    names = _roles(others, options)[role]
    if len(names) > 1:
        raise InputError(
            f"{name}: columns {' and '.join(map(repr, names[:4]))} may all be the {role}. Name it "
            f"with `columns`, such as {role}={names[0]}."
        )
    return names[0] if names else None


def _id_column(name: str, others: Sequence[str], options: ReadOptions) -> str:
    column = _single(name, "id", others, options) or index_column(others)
    if column is None:
        _require(name, others, ("id",))
    return str(column)


def _missing(name: str, others: Sequence[str]) -> str:
    _require(name, others, ("answer",))
    return ""


def _wide(
    name: str,
    columns: Sequence[str],
    others: list[str],
    named: Collection[str],
    options: ReadOptions,
) -> Header:
    alike = truth_like(others)
    strange = [c for c in others if is_synonym(c) and c not in alike] or _misspelt(others)
    strange = [] if options.voters else strange
    index = options.columns.get("id") or _single(name, "id", others, options)
    index = index or index_column(others)
    if strange or index is None:
        missing = [role for role in LONG if not _roles(others, options)[role]]
        _require(name, others, missing or ("voter",), strange)
    left = [column for column in others if column != index]
    if options.voters:
        check_named(name, options.voters, left)
        voters = options.voters
    else:
        check_named(name, options.without, left)
        no_voters = {*truth_like(left), *filter(is_metadata, left), *options.without}
        voters = tuple(column for column in left if column not in no_voters)
    if not voters:
        raise InputError(
            f"{name} has no votes; found {_listed(columns)}. Votes are rows of `id, voter, "
            "answer`, rows of `id, votes`, or `id` and one column per voter, named with `voters`."
        )
    read = (str(index), *named)
    ignored = tuple(c for c in columns if c not in {*read, *voters})
    return Header("wide", voters, read, ignored, {"id": str(index)})


def _misspelt(columns: Sequence[str]) -> list[str]:
    """The columns that are misspelt `voter` and `answer`, if there is exactly one of each.

    Several columns like `voter` are voters: voter1, voter2, ...
    """
    near = [difflib.get_close_matches(name, columns) for name in ("voter", "answer")]
    return [match[0] for match in near] if all(len(match) == 1 for match in near) else []


def _require(
    name: str, columns: Sequence[str], wanted: Sequence[str], strange: Sequence[str] = ()
) -> None:
    """Raise InputError about the first of the wanted roles that no column has."""
    for role in wanted:
        wide = ""
        if strange:
            wide = (
                f"; of one column per voter, rename {strange[0]!r} to a name, `text` or `truth`, "
            )
            wide += "or list the voters with `voters`"
        number = f" Number the rows with id={ROW_NUMBER}." if role == "id" else ""
        raise InputError(
            f"{name}: column `{role}` is missing, found {_listed(columns)}. "
            f"{_rename(role, columns)}Votes are rows of `id, voter, answer`{wide}. Name other "
            f"columns with `columns`, such as {role}=COLUMN.{number}"
        )


def _rename(name: str, columns: Sequence[str]) -> str:
    free = [column for column in columns if not any(candidates(role, [column])[0] for role in LONG)]
    near = difflib.get_close_matches(name, free, n=1)
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
