"""Votes as they stand in a file: who said what about which id, not yet judged."""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.io.columns import MISSING, Codes, Column, Encoder, read_columns, row_at
from steelyard.io.rows import Row, read_rows
from steelyard.votes_io.layout import OPTIONAL, Header, check_named, find_layout

QUERY = "unchanged"
"""The name of the only way of asking, where a file names none."""


@dataclass(frozen=True, eq=False)
class RawVotes:
    """M votes in R rows of a file about N ids. Vote m said `answer.values[answer.codes[m]]`."""

    path: Path
    header: Header
    ids: tuple[str, ...]  # N, as they come
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

    def place(self, vote: int) -> str:
        return row_at(self.path, int(self.row[vote]))[0]

    def who(self, vote: int) -> str:
        """The voter and the id of a vote, for messages."""
        name = self.ids[self.row_id[self.row[vote]]]
        return f"{self.voters[self.voter[vote]]!r} on {name!r}"


def read_raw_votes(path: Path, truth: Collection[str] = ()) -> RawVotes:
    """The votes of a file, long, nested or one column per voter.

    Args:
        path: JSON lines, JSON, CSV or Parquet.
        truth: names of columns that hold the truth.

    Raises:
        InputError: the file cannot be read, a column is missing or may be two things, an id or a
            voter is no name.
    """
    first = list(next(iter(read_rows(path)))[1])
    header = find_layout(path, first, truth)
    if header.layout == "nested":
        return _nested(path, header, truth)
    wanted = None if header.layout == "wide" else {*header.read, *OPTIONAL, *truth}
    columns = read_columns(path, first, wanted)
    check_named(path, truth, {*first, *columns})
    return (_wide if header.layout == "wide" else _long)(path, header, columns, truth)


def name_column(
    path: Path, column: Column, name: str, rows: Codes | None = None
) -> tuple[tuple[str, ...], Codes]:
    """Names and the number of each entry's name. An integer is the name of its digits.

    Args:
        path: of the file, for messages.
        column: as it stands.
        name: of the column.
        rows: the file's row of each entry, where they differ.

    Raises:
        InputError: a value that is no name.
    """
    if set(map(type, column.values)) <= {str} and _all_names(column.values):
        return tuple(column.values), column.codes
    numbers: dict[str, int] = {}
    same = np.zeros(len(column.values), dtype=np.int32)
    for code, value in enumerate(column.values):
        text = str(value) if type(value) is str or type(value) is int else ""
        if not _all_names([text]):
            entry = column.first(code)
            place, row = row_at(path, entry if rows is None else int(rows[entry]))
            if value is MISSING:
                require(place, row, name)
            raise InputError(
                f"{place}: `{name}` must be a name, a string or an integer; got {shown(value)}. "
                "Correct or remove the row."
            )
        same[code] = numbers.setdefault(text, len(numbers))
    return tuple(numbers), same[column.codes]


def _all_names(texts: Sequence[str]) -> bool:
    """Whether none is empty, and all can be written; JSON escapes name characters that cannot."""
    whole = "\n".join(texts)
    try:
        whole.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in whole and all(map(str.strip, texts))


def require(place: str, row: Row, name: str, votes_have: str = "`id, voter, answer`") -> None:
    """Refuse a row without a column."""
    if name not in row:
        raise InputError(
            f"{place}: column `{name}` is missing, found {', '.join(row)}. Votes have {votes_have}."
        )


def _long(
    path: Path, header: Header, columns: dict[str, Column], truth: Collection[str]
) -> RawVotes:
    if MISSING in (values := columns["answer"].values):  # JSON rows may lack what the first has
        require(*row_at(path, columns["answer"].first(values.index(MISSING))), "answer")
    ids, row_id = name_column(path, columns["id"], "id")
    voters, voter = name_column(path, columns["voter"], "voter")
    queries, query = _queries(columns.get("query"), len(voter))
    return RawVotes(
        path=path,
        header=header,
        ids=ids,
        voters=voters,
        queries=queries,
        row_id=row_id,
        row=np.arange(len(row_id), dtype=np.int32),
        voter=voter,
        query=query,
        answer=columns["answer"],
        probabilities=columns.get("probabilities"),
        reason=columns.get("reason"),
        truth={name: columns[name] for name in truth},
    )


def _queries(column: Column | None, votes: int) -> tuple[tuple[str, ...], Codes]:
    if column is None:
        return (QUERY,), np.zeros(votes, dtype=np.int32)
    names: dict[str, int] = {}
    texts = [QUERY if empty(value) else str(value) for value in column.values]
    same = np.array([names.setdefault(text, len(names)) for text in texts], dtype=np.int32)
    return tuple(names), same[column.codes]


def _wide(
    path: Path, header: Header, columns: dict[str, Column], truth: Collection[str]
) -> RawVotes:
    """One column per voter; an empty cell is no vote."""
    header = find_layout(path, list(columns), truth)  # later JSON rows may have more
    ids, row_id = name_column(path, columns["id"], "id")
    distinct = Encoder()
    table = np.empty((len(row_id), len(header.voters)), dtype=np.int32)
    for v, name in enumerate(header.voters):
        same = [distinct.number(None if empty(x) else x) for x in columns[name].values]
        table[:, v] = np.array(same, dtype=np.int32)[columns[name].codes]
    given = np.array([value is not None for value in distinct.values])[table]
    row, voter = (part.astype(np.int32) for part in np.nonzero(given))
    return RawVotes(
        path=path,
        header=header,
        ids=ids,
        voters=header.voters,
        queries=(QUERY,),
        row_id=row_id,
        row=row,
        voter=voter,
        query=np.zeros(len(row), dtype=np.int32),
        answer=Column(distinct.values, table[given]),
        probabilities=None,
        reason=None,
        truth={name: columns[name] for name in truth},
    )


def empty(value: Any) -> bool:
    """Nothing: null, not there, NaN, or only white space."""
    return value is None or value is MISSING or value != value or str(value).strip() == ""


def _nested(path: Path, header: Header, truth: Collection[str]) -> RawVotes:
    names, ids = {name: Encoder() for name in truth}, Encoder()
    voters, answers, queries, probabilities, reasons = (Encoder() for _ in range(5))
    rows = array("i")
    for number, (place, row) in enumerate(read_rows(path)):
        for name in ("id", "votes"):
            require(place, row, name, "`id, votes`")
        ids.add(row["id"])
        for name, encoder in names.items():
            encoder.add(row.get(name, MISSING))
        for entry in _entries(place, row["votes"]):
            for name in ("annotator", "label"):
                require(place, entry, name, "`{annotator, label}`")
            rows.append(number)
            voters.add(entry["annotator"])
            answers.add(entry["label"])
            queries.add(entry.get("query"))
            probabilities.add(entry.get("probabilities"))
            reasons.add(entry.get("reason"))
    for name, encoder in names.items():
        check_named(path, [name], [] if encoder.values == [MISSING] else [name])
    soft = any(not empty(value) for value in probabilities.values)
    of_vote = np.array(rows, dtype=np.int32)
    ids_, row_id = name_column(path, ids.column(), "id")
    voters_, voter = name_column(path, voters.column(), "annotator", of_vote)
    queries_, query = _queries(queries.column(), len(rows))
    return RawVotes(
        path=path,
        header=header,
        ids=ids_,
        voters=voters_,
        queries=queries_,
        row_id=row_id,
        row=of_vote,
        voter=voter,
        query=query,
        answer=answers.column(),
        probabilities=probabilities.column() if soft else None,
        reason=reasons.column(),
        truth={name: encoder.column() for name, encoder in names.items()},
    )


def _entries(place: str, votes: Any) -> Sequence[Row]:
    if votes is None:
        return []
    if not isinstance(votes, list) or not all(isinstance(entry, dict) for entry in votes):
        raise InputError(
            f"{place}: `votes` must be a list of `{{annotator, label}}`, got {shown(votes)}."
        )
    return votes


def shown(value: object) -> str:
    """A value for a message, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
