"""Votes of several files as one table, such as one file for each annotator."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from steelyard.errors import InputError
from steelyard.io.columns import Codes, Column, Encoder
from steelyard.io.row_source import FileRows, LocatedRows
from steelyard.io.rows import LocatedRow, stem
from steelyard.votes_io.raw_votes import read_raw_votes
from steelyard.votes_io.read_options import READ_AS_IS, ReadOptions
from steelyard.votes_io.vote_columns import RawVotes, of_voters


@dataclass(frozen=True, eq=False)
class SeveralSources:
    """Rows of one source after those of another."""

    sources: tuple[LocatedRows, ...]
    sizes: tuple[int, ...]  # rows of each

    @property
    def name(self) -> str:
        """The name for messages."""
        return ", ".join(source.name for source in self.sources[:4])

    def at(self, row: int) -> LocatedRow:
        ends = list(accumulate(self.sizes))
        number = int(np.searchsorted(ends, row, side="right"))
        return self.sources[number].at(row - (ends[number] - self.sizes[number]))


def read_files(
    paths: Sequence[Path],
    separator: str | None = None,
    truth: Collection[str] = (),
    options: ReadOptions = READ_AS_IS,
) -> RawVotes:
    """Votes of files that are read one by one; the name of a file is the voter of its rows.

    That is so only in files whose rows name no voter.

    Raises:
        InputError: as `read_raw_votes`, or a file is given twice.
    """
    twice = [path for path in paths if paths.count(path) > 1]
    if twice:
        raise InputError(f"{twice[0]} is given twice; its votes would count twice. Remove one.")
    if len(paths) == 1:
        return read_raw_votes(FileRows(paths[0], separator), truth, options)
    of_all = replace(options, voters=(), without=())
    parts = [
        read_raw_votes(FileRows(path, separator), truth, of_all, name)
        for path, name in zip(paths, file_names(paths), strict=True)
    ]
    return of_voters(merged(parts), options)


def file_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: without its ending, and with its folder where two are alike."""
    names = [stem(path) for path in paths]
    if len(set(names)) < len(names):
        names = [f"{path.absolute().parent.name}/{stem(path)}" for path in paths]
    return names if len(set(names)) == len(names) else list(map(str, paths))


def merged(parts: Sequence[RawVotes]) -> RawVotes:
    """Votes of several tables; equal ids, voters, and queries are the same."""
    ids, voters, queries, answers, reasons = (Encoder() for _ in range(5))
    columns: dict[str, list[Codes]] = {}
    offset = 0

    def add(name: str, encoder: Encoder, values: Sequence[object], codes: Codes) -> None:
        numbers = np.array([encoder.number(value) for value in values], dtype=np.int32)
        columns.setdefault(name, []).append(numbers[codes])

    for part in parts:
        add("row_id", ids, part.ids, part.row_id)
        add("voter", voters, part.voters, part.voter)
        add("query", queries, part.queries, part.query)
        add("answer", answers, part.answer.values, part.answer.codes)
        if part.reason is not None:
            add("reason", reasons, part.reason.values, part.reason.codes)
        columns.setdefault("row", []).append(part.row + np.int32(offset))
        offset += len(part.row_id)
    whole = {name: np.concatenate(codes) for name, codes in columns.items()}
    has_reasons = all(part.reason is not None for part in parts)
    return RawVotes(
        source=SeveralSources(
            tuple(part.source for part in parts), tuple(len(part.row_id) for part in parts)
        ),
        header=replace(parts[0].header, layout="long"),
        ids=tuple(ids.values),
        voters=tuple(voters.values),
        queries=tuple(queries.values),
        row_id=whole["row_id"],
        row=whole["row"],
        voter=whole["voter"],
        query=whole["query"],
        answer=Column(answers.values, whole["answer"]),
        probabilities=None,
        reason=Column(reasons.values, whole["reason"]) if has_reasons else None,
        truth=_truth(parts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _truth(parts: Sequence[RawVotes]) -> dict[str, Column]:
    truth = {}
    shared = [name for name in parts[0].truth if all(name in part.truth for part in parts)]
    for name in shared:
        encoder, codes = Encoder(), []
        for part in parts:
            numbers = [encoder.number(value) for value in part.truth[name].values]
            codes.append(np.array(numbers, dtype=np.int32)[part.truth[name].codes])
        truth[name] = Column(encoder.values, np.concatenate(codes))
    return truth
