"""Long, wide and nested rows as votes: voter, id and answer, not yet checked."""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.io.columns import MISSING, Column, Encoder
from steelyard.io.row_source import RowSource
from steelyard.io.rows import Row, stem
from steelyard.votes_io.column_names import candidates, column_key
from steelyard.votes_io.exports.convert import as_long_rows
from steelyard.votes_io.layout import OPTIONAL, Header, check_named, find_layout
from steelyard.votes_io.names import name_column, require_column
from steelyard.votes_io.read_options import READ_AS_IS, ROW_NUMBER, ReadOptions
from steelyard.votes_io.values import empty, names_shown, quoted
from steelyard.votes_io.vote_columns import QUERY, RawVotes, of_voters, queries_of


def read_raw_votes(
    source: RowSource,
    truth: Collection[str] = (),
    options: ReadOptions = READ_AS_IS,
    voter: str | None = None,
) -> RawVotes:
    """The votes of a table, long, nested or one column per voter, or of a known export.

    Args:
        source: the rows.
        truth: columns with the truth.
        options: names of columns, voters, and answers that abstain.
        voter: of rows that name none.

    Raises:
        InputError: the file cannot be read, a column is missing or ambiguous, or an id or a voter
            is not a name.
    """
    source, options, notes = as_long_rows(source, truth, options)
    first = next(iter(source.rows()))[1]
    names_voter = "voter" in first or "voter" in options.columns
    if notes and voter is None and not names_voter:  # an export that names no voter
        voter = stem(Path(source.name))
    header = find_layout(source.name, first, truth, options, has_voter=voter is not None)
    kept = _kept(truth, header)
    if header.layout == "nested":
        raw = _nested(source, header, kept)
    elif header.layout == "wide":
        columns = _columns(source, None)
        check_named(source.name, truth, {**first, **columns})
        raw = _wide(source, header, columns, truth, options)
    else:
        others = _other_ids(first, header)
        columns = _columns(source, [*header.columns.values(), *others, *kept])
        check_named(source.name, truth, {**first, **columns})
        raw = _long(source, header, columns, kept, voter)
        if "id" not in options.columns:
            _check_row_ids(raw, columns, others)
    return replace(of_voters(raw, options), notes=(*notes, *raw.notes))


def _kept(truth: Collection[str], header: Header) -> list[str]:
    """The columns that are kept beside the votes: those of the truth, and that of the text."""
    return [*truth, *([header.text] if header.text else [])]


def _columns(source: RowSource, wanted: Collection[str] | None) -> dict[str, Column]:
    """Columns by name; the number of the row among them, if it is wanted or if all are."""
    columns = source.columns(wanted)
    rows = len(next(iter(columns.values())).codes)
    if wanted is None or ROW_NUMBER in wanted:
        numbers = Column(list(range(1, rows + 1)), np.arange(rows, dtype=np.int32))
        columns.setdefault(ROW_NUMBER, numbers)
    return columns


def _other_ids(columns: Collection[str], header: Header) -> list[str]:
    """Columns besides `id` that may be the id of the item."""
    if header.columns.get("id", ROW_NUMBER) == ROW_NUMBER:
        return []
    free = [c for c in columns if c not in header.columns.values() and column_key(c) != "id"]
    return candidates("id", free)[0]


def _check_row_ids(raw: RawVotes, columns: dict[str, Column], others: Sequence[str]) -> None:
    """Refuse an id that is another in each row, where another column repeats like one of items."""
    if len(raw.ids) < len(raw.row_id) or len(raw.voters) < 2:
        return
    for name in others:
        if len(columns[name].values) < len(raw.row_id):
            raise InputError(
                f"{raw.source.name}: {raw.header.columns['id']!r} is another in each row, so no "
                f"item has two votes. Is {name!r} the id of the items? Name it with `columns`, "
                f"such as id={name}."
            )


def _long(
    source: RowSource,
    header: Header,
    columns: dict[str, Column],
    truth: Collection[str],
    voter_name: str | None,
) -> RawVotes:
    by_role = {role: columns[name] for role, name in header.columns.items() if name in columns}
    for role in ("id", "voter", "answer"):  # JSON rows may lack what the first has
        if role in by_role and MISSING in (values := by_role[role].values):
            location, row = source.at(by_role[role].first(values.index(MISSING)))
            require_column(location, row, header.columns[role])
    ids, row_id = name_column(source, by_role["id"], header.columns["id"])
    if "voter" in by_role:
        voters, voter = name_column(source, by_role["voter"], header.columns["voter"])
    else:
        voters, voter = (str(voter_name),), np.zeros(len(row_id), dtype=np.int32)
    queries, query = queries_of(by_role.get("query"), len(voter))
    return RawVotes(
        *(source, header, ids, voters, queries, row_id),
        row=np.arange(len(row_id), dtype=np.int32),
        voter=voter,
        query=query,
        answer=by_role["answer"],
        probabilities=by_role.get("probabilities"),
        reason=by_role.get("reason"),
        shown=by_role.get("order") if "query" in by_role else None,
        truth={name: columns[name] for name in truth},
    )


def _wide(
    source: RowSource,
    header: Header,
    columns: dict[str, Column],
    truth: Collection[str],
    options: ReadOptions,
) -> RawVotes:
    """One column per voter; an empty cell is no vote, and an empty column no voter."""
    all_columns = [name for name in columns if name != ROW_NUMBER]
    header = find_layout(source.name, all_columns, truth, options)  # later JSON rows may have more
    ids, row_id = name_column(source, columns[header.columns["id"]], header.columns["id"])
    distinct = Encoder()
    table = np.empty((len(row_id), len(header.voters)), dtype=np.int32)
    for v, name in enumerate(header.voters):
        same = [distinct.number(None if empty(x) else x) for x in columns[name].values]
        table[:, v] = np.array(same, dtype=np.int32)[columns[name].codes]
    given = np.array([value is not None for value in distinct.values], dtype=bool)[table]
    answered = given.any(axis=0)
    kept = np.flatnonzero(answered | ~answered.any())
    voters = tuple(header.voters[v] for v in kept)
    unused = [name for name in header.voters if name not in voters]
    row, voter = (part.astype(np.int32) for part in np.nonzero(given[:, kept]))
    return RawVotes(
        *(source, replace(header, voters=voters), ids, voters, (QUERY,), row_id),
        row=row,
        voter=voter,
        query=np.zeros(len(row), dtype=np.int32),
        answer=Column(distinct.values, table[:, kept][given[:, kept]]),
        probabilities=None,
        reason=None,
        truth={name: columns[name] for name in _kept(truth, header)},
        notes=(f"Columns without any answer are no voters: {names_shown(unused)}.",)
        if unused
        else (),
    )


def _nested(source: RowSource, header: Header, truth: Collection[str]) -> RawVotes:
    """Rows of `id, votes`, where votes are a list of `{annotator, label}`."""
    truths, ids = {name: Encoder() for name in truth}, Encoder()
    encoders = {role: Encoder() for role in ("voter", "answer", *OPTIONAL)}
    keys: dict[str, str] = {}
    rows = array("i")
    where = header.columns
    for number, (location, row) in enumerate(source.rows()):
        for name in where.values():
            require_column(location, row, name, "`id, votes`")
        ids.add(row[where["id"]])
        for name, encoder in truths.items():
            encoder.add(row.get(name, MISSING))
        for entry in _entries(location, row[where["votes"]]):
            keys = keys or _entry_keys(entry)
            for name in keys.values():
                require_column(location, entry, name, "`{annotator, label}`")
            rows.append(number)
            for role, encoder in encoders.items():
                encoder.add(entry.get(keys.get(role, role)))
    for name, encoder in truths.items():
        check_named(source.name, [name], [] if encoder.values == [MISSING] else [name])
    columns = {role: encoder.column() for role, encoder in encoders.items()}
    has_probabilities = not all(map(empty, columns["probabilities"].values))
    vote_row = np.array(rows, dtype=np.int32)
    names, row_id = name_column(source, ids.column(), where["id"])
    who = keys.get("voter", "annotator")
    voters, voter = name_column(source, columns["voter"], who, vote_row)
    queries, query = queries_of(columns["query"], len(rows))
    return RawVotes(
        *(source, header, names, voters, queries, row_id),
        row=vote_row,
        voter=voter,
        query=query,
        answer=columns["answer"],
        probabilities=columns["probabilities"] if has_probabilities else None,
        reason=columns["reason"],
        shown=columns["order"],
        truth={name: encoder.column() for name, encoder in truths.items()},
    )


def _entry_keys(entry: Row) -> dict[str, str]:
    """The keys of the voter and of the answer in an entry of a list of votes."""
    keys = {}
    for role, usual in (("voter", "annotator"), ("answer", "label")):
        names = [usual] if usual in entry else candidates(role, list(entry))[0]
        keys[role] = names[0] if len(names) == 1 else usual
    return keys


def _entries(location: str, votes: Any) -> Sequence[Row]:
    if votes is None:
        return []
    if not isinstance(votes, list) or not all(isinstance(entry, dict) for entry in votes):
        raise InputError(
            f"{location}: `votes` must be a list of `{{annotator, label}}`, got {quoted(votes)}."
        )
    return votes
