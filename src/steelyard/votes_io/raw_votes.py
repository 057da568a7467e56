"""Votes as they are in a file or a table in memory: voter, id and answer, not yet checked."""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.io.columns import MISSING, Codes, Column, Encoder
from steelyard.io.row_source import RowSource
from steelyard.io.rows import Row
from steelyard.votes_io.layout import OPTIONAL, Header, check_named, find_layout

QUERY = "unchanged"
"""The name of the only prompt variant, where a file has no column `query`."""


@dataclass(frozen=True, eq=False)
class RawVotes:
    """M votes in R rows about N ids. Vote m is `answer.values[answer.codes[m]]`."""

    source: RowSource
    header: Header
    ids: tuple[str, ...]  # N, in the order of the rows
    voters: tuple[str, ...]
    queries: tuple[str, ...]
    row_id: Codes  # (R,) index in `ids`
    row: Codes  # (M,) index of the row
    voter: Codes  # (M,)
    query: Codes  # (M,)
    answer: Column  # (M,)
    probabilities: Column | None  # (M,)
    reason: Column | None  # (M,)
    truth: dict[str, Column]  # (R,), by the name of the file's column

    @property
    def example(self) -> Codes:
        """(M,), index in `ids`."""
        return self.row_id[self.row]

    def location(self, vote: int) -> str:
        """Where a vote is, for messages: the file and line, or the row."""
        return self.source.at(int(self.row[vote]))[0]

    def about(self, ids: Sequence[str]) -> "RawVotes":
        """The votes about some ids, which become the N of the result; an id may have none."""
        row = {name: i for i, name in enumerate(ids)}
        renumbered = np.array([row.get(name, -1) for name in self.ids], dtype=np.int32)
        row_id = renumbered[self.row_id]
        votes = np.flatnonzero(row_id[self.row] >= 0)
        return replace(
            self,
            ids=tuple(ids),
            row_id=row_id,
            row=self.row[votes],
            voter=self.voter[votes],
            query=self.query[votes],
            answer=self.answer.take(votes),
            probabilities=None if self.probabilities is None else self.probabilities.take(votes),
            reason=None if self.reason is None else self.reason.take(votes),
            truth={},
        )

    def value(self, vote: int) -> Any:
        """The answer of a vote."""
        return self.answer.values[self.answer.codes[vote]]

    def description(self, vote: int) -> str:
        """The voter and the id of a vote, for messages."""
        name = self.ids[self.row_id[self.row[vote]]]
        return f"{self.voters[self.voter[vote]]!r} on {name!r}"


def read_raw_votes(source: RowSource, truth: Collection[str] = ()) -> RawVotes:
    """The votes of a table, long, nested or one column per voter; `truth` names columns of truth.

    Raises:
        InputError: the file cannot be read, a column is missing or ambiguous, or an id or a voter
            is not a name.
    """
    first = source.header()
    header = find_layout(source.name, first, truth)
    if header.layout == "nested":
        return _nested(source, header, truth)
    wide = header.layout == "wide"
    columns = source.columns(None if wide else {*header.read, *OPTIONAL, *truth})
    check_named(source.name, truth, {*first, *columns})
    return (_wide if wide else _long)(source, header, columns, truth)


def name_column(
    source: RowSource, column: Column, name: str, rows: Codes | None = None
) -> tuple[tuple[str, ...], Codes]:
    """Names and the number of each entry's name. An integer is the name of its digits.

    `rows` has the row of each entry, if entries are not rows; `source` and `name` are for messages.

    Raises:
        InputError: a value that is not a name.
    """
    if set(map(type, column.values)) <= {str} and _all_names(column.values):
        return tuple(column.values), column.codes
    numbers: dict[str, int] = {}
    same = np.zeros(len(column.values), dtype=np.int32)
    for code, value in enumerate(column.values):
        text = str(value) if type(value) is str or type(value) is int else ""
        if not _all_names([text]):
            entry = column.first(code)
            location, row = source.at(entry if rows is None else int(rows[entry]))
            if value is MISSING:
                require_column(location, row, name)
            raise InputError(
                f"{location}: `{name}` must be a name, a string or an integer; got "
                f"{quoted(value)}. Correct or remove the row."
            )
        same[code] = numbers.setdefault(text, len(numbers))
    return tuple(numbers), same[column.codes]


def _all_names(texts: Sequence[str]) -> bool:
    """Whether no text is empty, and all can be encoded: JSON escapes may not be."""
    whole = "\n".join(texts)
    try:
        whole.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in whole and all(map(str.strip, texts))


def require_column(
    location: str, row: Row, name: str, votes_have: str = "`id, voter, answer`"
) -> None:
    """Refuse a row without a column."""
    if name not in row:
        raise InputError(
            f"{location}: column `{name}` is missing, found {', '.join(row)}. "
            f"Votes have {votes_have}."
        )


def _long(
    source: RowSource, header: Header, columns: dict[str, Column], truth: Collection[str]
) -> RawVotes:
    if MISSING in (values := columns["answer"].values):  # JSON rows may lack what the first has
        require_column(*source.at(columns["answer"].first(values.index(MISSING))), "answer")
    ids, row_id = name_column(source, columns["id"], "id")
    voters, voter = name_column(source, columns["voter"], "voter")
    queries, query = _queries(columns.get("query"), len(voter))
    return RawVotes(
        *(source, header, ids, voters, queries, row_id),
        row=np.arange(len(row_id), dtype=np.int32),
        voter=voter,
        query=query,
        answer=columns["answer"],
        probabilities=columns.get("probabilities"),
        reason=columns.get("reason"),
        truth={name: columns[name] for name in truth},
    )


def _queries(column: Column | None, votes: int) -> tuple[tuple[str, ...], Codes]:
    """Names of prompt variants, and the variant of each vote, (M,)."""
    if column is None:
        return (QUERY,), np.zeros(votes, dtype=np.int32)
    names: dict[str, int] = {}
    texts = [QUERY if empty(value) else str(value) for value in column.values]
    same = np.array([names.setdefault(text, len(names)) for text in texts], dtype=np.int32)
    return tuple(names), same[column.codes]


def _wide(
    source: RowSource, header: Header, columns: dict[str, Column], truth: Collection[str]
) -> RawVotes:
    """One column per voter; an empty cell is no vote."""
    header = find_layout(source.name, list(columns), truth)  # later JSON rows may have more
    ids, row_id = name_column(source, columns["id"], "id")
    distinct = Encoder()
    table = np.empty((len(row_id), len(header.voters)), dtype=np.int32)
    for v, name in enumerate(header.voters):
        same = [distinct.number(None if empty(x) else x) for x in columns[name].values]
        table[:, v] = np.array(same, dtype=np.int32)[columns[name].codes]
    given = np.array([value is not None for value in distinct.values])[table]
    row, voter = (part.astype(np.int32) for part in np.nonzero(given))
    return RawVotes(
        *(source, header, ids, header.voters, (QUERY,), row_id),
        row=row,
        voter=voter,
        query=np.zeros(len(row), dtype=np.int32),
        answer=Column(distinct.values, table[given]),
        probabilities=None,
        reason=None,
        truth={name: columns[name] for name in truth},
    )


def empty(value: Any) -> bool:
    """Whether a cell is empty: null, missing, NaN, or only white space."""
    return value is None or value is MISSING or value != value or str(value).strip() == ""


def _nested(source: RowSource, header: Header, truth: Collection[str]) -> RawVotes:
    """Rows of `id, votes`, where votes are a list of `{annotator, label}`."""
    truths, ids = {name: Encoder() for name in truth}, Encoder()
    keys = ("annotator", "label", "query", "probabilities", "reason")
    encoders = {key: Encoder() for key in keys}
    rows = array("i")
    for number, (location, row) in enumerate(source.rows()):
        for name in ("id", "votes"):
            require_column(location, row, name, "`id, votes`")
        ids.add(row["id"])
        for name, encoder in truths.items():
            encoder.add(row.get(name, MISSING))
        for entry in _entries(location, row["votes"]):
            for name in ("annotator", "label"):
                require_column(location, entry, name, "`{annotator, label}`")
            rows.append(number)
            for key, encoder in encoders.items():
                encoder.add(entry.get(key))
    for name, encoder in truths.items():
        check_named(source.name, [name], [] if encoder.values == [MISSING] else [name])
    columns = {key: encoder.column() for key, encoder in encoders.items()}
    has_probabilities = not all(map(empty, columns["probabilities"].values))
    vote_row = np.array(rows, dtype=np.int32)
    names, row_id = name_column(source, ids.column(), "id")
    voters, voter = name_column(source, columns["annotator"], "annotator", vote_row)
    queries, query = _queries(columns["query"], len(rows))
    return RawVotes(
        *(source, header, names, voters, queries, row_id),
        row=vote_row,
        voter=voter,
        query=query,
        answer=columns["label"],
        probabilities=columns["probabilities"] if has_probabilities else None,
        reason=columns["reason"],
        truth={name: encoder.column() for name, encoder in truths.items()},
    )


def _entries(location: str, votes: Any) -> Sequence[Row]:
    if votes is None:
        return []
    if not isinstance(votes, list) or not all(isinstance(entry, dict) for entry in votes):
        raise InputError(
            f"{location}: `votes` must be a list of `{{annotator, label}}`, got {quoted(votes)}."
        )
    return votes


def quoted(value: object) -> str:
    """A value for a message, truncated to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
