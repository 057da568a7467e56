"""Votes as they are in a file or a table in memory: voter, id and answer, not yet checked."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.io.columns import Codes, Column
from steelyard.io.row_source import LocatedRows
from steelyard.votes_io.layout import Header
from steelyard.votes_io.read_options import ReadOptions
from steelyard.votes_io.values import empty, names_shown

QUERY = "unchanged"
"""The name of the only prompt variant, where a file has no column `query`."""


@dataclass(frozen=True, eq=False)
class RawVotes:
    """M votes in R rows about N ids. Vote m is `answer.values[answer.codes[m]]`."""

    source: LocatedRows
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
    notes: tuple[str, ...] = ()  # sentences about how the rows were read
    shown: Column | None = None  # (M,), lists of the options in the order in which they were shown

    @property
    def example(self) -> Codes:
        """(M,), index in `ids`."""
        return self.row_id[self.row]

    def location(self, vote: int) -> str:
        """Where a vote is, for messages: the file and line, or the row."""
        return self.source.at(int(self.row[vote]))[0]

    def take(self, votes: npt.NDArray[np.integer]) -> "RawVotes":
        """Some of the votes, about the same ids."""
        return replace(
            self,
            row=self.row[votes],
            voter=self.voter[votes],
            query=self.query[votes],
            answer=self.answer.take(votes),
            probabilities=None if self.probabilities is None else self.probabilities.take(votes),
            reason=None if self.reason is None else self.reason.take(votes),
            shown=None if self.shown is None else self.shown.take(votes),
        )

    def about(self, ids: Sequence[str]) -> "RawVotes":
        """The votes about some ids, which become the N of the result; an id may have none."""
        row = {name: i for i, name in enumerate(ids)}
        renumbered = np.array([row.get(name, -1) for name in self.ids], dtype=np.int32)
        row_id = renumbered[self.row_id]
        votes = np.flatnonzero(row_id[self.row] >= 0)
        return replace(self.take(votes), ids=tuple(ids), row_id=row_id, truth={})

    def value(self, vote: int) -> Any:
        """The answer of a vote."""
        return self.answer.values[self.answer.codes[vote]]

    def description(self, vote: int) -> str:
        """The voter and the id of a vote, for messages."""
        name = self.ids[self.row_id[self.row[vote]]]
        return f"{self.voters[self.voter[vote]]!r} on {name!r}"


def of_voters(raw: RawVotes, options: ReadOptions) -> RawVotes:
    """The votes of the voters that count; items stay.

    Raises:
        InputError: there is no such voter, or none is left.
    """
    if not options.voters and not options.without:
        return raw
    ignored = raw.header.ignored if raw.header.layout == "wide" else ()
    names = dict.fromkeys((*raw.voters, *raw.header.voters, *ignored))
    for role, listed_names in (("voters", options.voters), ("without", options.without)):
        for name in listed_names:
            if name not in names:
                near = difflib.get_close_matches(name, list(names), n=1)
                hint = (
                    f" Did you mean {near[0]!r}?"
                    if near
                    else f" It has {names_shown(list(names))}."
                )
                raise InputError(f"{raw.source.name} has no voter {name!r} of `{role}`.{hint}")
    kept = [
        v
        for v, name in enumerate(raw.voters)
        if name not in options.without and (not options.voters or name in options.voters)
    ]
    if not kept:
        raise InputError(f"{raw.source.name} has no vote of the voters that count.")
    number = np.full(len(raw.voters), -1, dtype=np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    votes = np.flatnonzero(number[raw.voter] >= 0)
    part = raw.take(votes)
    return replace(part, voters=tuple(raw.voters[v] for v in kept), voter=number[part.voter])


def queries_of(column: Column | None, votes: int) -> tuple[tuple[str, ...], Codes]:
    """Names of prompt variants, and the variant of each vote, (M,)."""
    if column is None:
        return (QUERY,), np.zeros(votes, dtype=np.int32)
    names: dict[str, int] = {}
    texts = [QUERY if empty(value) else str(value) for value in column.values]
    same = np.array([names.setdefault(text, len(names)) for text in texts], dtype=np.int32)
    return tuple(names), same[column.codes]
