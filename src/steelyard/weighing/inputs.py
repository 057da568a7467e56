"""The votes and true answers that `weigh` is given, from files or from Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union, cast

import numpy as np
import numpy.typing as npt

from steelyard.data.labels import read_names, read_names_file
from steelyard.errors import InputError
from steelyard.io.files import check_file
from steelyard.io.row_source import (
    FileRows,
    RowSource,
    is_pandas,
    rows_in_memory,
    rows_of_columns,
)
from steelyard.io.rows import READERS
from steelyard.types import ABSTAIN, NO_CANDIDATE, Ints, Votes
from steelyard.votes_io.classes import Answers, FileClasses, OpenAnswers
from steelyard.votes_io.read_votes import LoadedVotes, read_votes
from steelyard.votes_io.tabulate import Duplicates
from steelyard.votes_io.truth import read_truth, truth_of

if TYPE_CHECKING:
    import pandas

VotesInput: TypeAlias = Union[str, Path, Votes, "pandas.DataFrame", Sequence[Mapping[str, Any]]]
"""A file, a data frame, a list of rows, or a table of votes."""
Truth: TypeAlias = Union[
    str,
    Path,
    Mapping[str, Any],
    Sequence[Any],
    npt.NDArray[Any],
    "pandas.Series[Any]",
    "pandas.DataFrame",
    None,
]
"""True answers, as `weigh` takes them."""
Slices: TypeAlias = Union[str, Mapping[str, Any], Sequence[str], "pandas.Series[Any]", None]
"""The slice of each item, as `weigh` takes it."""


@dataclass(frozen=True)
class VotesSource:
    """Where the votes come from and how they were read."""

    name: str
    format: str  # "long", "nested", "wide", or "table" of votes in memory
    policy: str  # of duplicates
    duplicates: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class WeighInputs:
    """Votes about N items, and the known true answers."""

    votes: Votes
    source: VotesSource
    truth: Ints  # (N,), ABSTAIN where unknown or in `gold`, NO_CANDIDATE where no vote has it
    gold: Ints  # (N,), the same for the answers that estimators hold fixed
    slices: tuple[str, ...] = ()  # (N,), "" of none; empty where none were asked for


def load_votes(
    votes: VotesInput,
    truth: Truth,
    gold: Truth,
    answers: Answers,
    duplicates: Duplicates,
    classes: str | Path | Sequence[str] | None,
    slices: Slices = None,
) -> WeighInputs:
    """Read and check votes and true answers; `weigh` documents the arguments.

    Raises:
        InputError: something does not fit.
    """
    label_set: FileClasses | OpenAnswers | None
    columns: dict[str, Ints] = {}
    texts: dict[str, tuple[str, ...]] = {}
    if isinstance(votes, Votes):
        table, source = votes, VotesSource("votes in memory", "table", duplicates)
        label_set = FileClasses(votes.classes) if votes.classes else None
    else:
        named = [value for value in (truth, gold) if _is_column(value)]
        others = [slices] if isinstance(slices, str) else []
        loaded = _read(votes, answers, duplicates, classes, cast("list[str]", named), others)
        table, label_set, columns = loaded.votes, loaded.label_set, loaded.truth
        texts = loaded.columns
        name = Path(votes).name if isinstance(votes, str | Path) else "votes in memory"
        source = _source(name, loaded, duplicates)
    known_truth, known_gold = (
        columns[value]
        if isinstance(value, str) and value in columns
        else _numbers(value, table, label_set, name)
        for name, value in (("truth", truth), ("gold", gold))
    )
    in_gold = known_gold != ABSTAIN
    overlap = int(((known_truth != ABSTAIN) & in_gold).sum())
    if overlap:
        note = f"{overlap:,} items of `truth` are also in `gold`: they are not evaluated."
        source = replace(source, notes=(*source.notes, note))
    return WeighInputs(
        table,
        source,
        np.where(in_gold, ABSTAIN, known_truth),
        known_gold,
        _slices(slices, table, texts),
    )


def _slices(
    slices: Slices, votes: Votes, columns: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """The slice of each item, (N,); empty without slices."""
    if slices is None:
        return ()
    if isinstance(slices, str):
        if slices not in columns:
            raise InputError(
                f"`slices` names the column {slices!r}, and votes in a table have none; give a "
                "mapping from id to slice, or a slice for each item."
            )
        return columns[slices]
    if is_pandas(slices, "Series"):
        slices = cast("Any", slices).to_dict()
    if isinstance(slices, Mapping):
        named = {str(name): str(value) for name, value in slices.items()}
        return tuple(named.get(name, "") for name in votes.ids)
    values = tuple(map(str, slices))
    if len(values) != len(votes.ids):
        raise InputError(
            f"`slices` must have one entry per item, {len(votes.ids)}; got {len(values)}."
        )
    return values


def _read(
    votes: VotesInput,
    answers: Answers,
    duplicates: Duplicates,
    classes: str | Path | Sequence[str] | None,
    columns: Sequence[str],
    others: Sequence[str],
) -> LoadedVotes:
    rows: RowSource
    if isinstance(votes, str | Path):
        rows = FileRows(Path(votes))
        check_file(rows.path)
    else:
        rows = rows_in_memory(votes, "`votes`")
    names, named_in = None, ""
    if answers == "closed":
        if isinstance(classes, str | Path):
            names, named_in = read_names_file(Path(classes)), Path(classes).name
        elif classes is not None:
            names = tuple(classes)
        elif isinstance(rows, FileRows):
            names = read_names(rows.path.parent)
            named_in = "labels.json" if names else ""
    return read_votes(
        rows,
        classes=names,
        named_in=named_in,
        answers=answers,
        duplicates=duplicates,
        truth=columns,
        columns=others,
    )


def _source(name: str, loaded: LoadedVotes, duplicates: Duplicates) -> VotesSource:
    notes = list(loaded.notes)
    if loaded.header.layout == "wide":
        voters, ignored = (
            ", ".join(names[:12]) + (", ..." if names[12:] else "")
            for names in (loaded.header.voters, loaded.header.ignored)
        )
        ignored = f"; ignored: {ignored}" if ignored else ""
        notes.append(f"Voters are the columns {voters}{ignored}.")
    for column in loaded.header.truth:
        notes.append(
            f"Column {column!r} looks like the truth and was not read; give its name as `truth` "
            "to evaluate by it."
        )
    return VotesSource(name, loaded.header.layout, duplicates, loaded.duplicates, tuple(notes))


def _is_column(truth: object) -> bool:
    """Whether the truth is named by a column: files have one of the known endings."""
    return isinstance(truth, str) and not truth.lower().endswith(tuple(READERS))


def _numbers(
    truth: Truth, votes: Votes, label_set: FileClasses | OpenAnswers | None, name: str
) -> Ints:
    """Answer numbers, (N,), of true answers in any form; all ABSTAIN for None."""
    if truth is None:
        return np.full(len(votes.ids), ABSTAIN, dtype=np.int64)
    if _is_column(truth):
        raise InputError(
            f"`{name}` names the column {truth!r}, and votes in a table have none; give a mapping "
            "from id to answer, or a file that ends in .csv, .jsonl, .json or .parquet."
        )
    rows = _truth_rows(truth, name)
    if rows is None:
        try:
            values = np.asarray(truth)
        except ValueError:  # lists of several lengths
            values = np.asarray(None)
        return _of_array(values, votes, label_set, name)
    if label_set is None:
        raise InputError(
            f"`{name}` of open answers in a table of votes must be an array (N,) of candidate "
            f"numbers, ABSTAIN where unknown; got a {type(truth).__name__}."
        )
    return read_truth(rows, votes.ids, label_set)


def _truth_rows(truth: Truth, name: str) -> RowSource | None:
    """Rows of `id, truth`; None for an array in the order of the items."""
    if isinstance(truth, str | Path):
        check_file(Path(truth))
        return FileRows(Path(truth))
    if isinstance(truth, Mapping):
        return rows_of_columns(f"`{name}`", id=list(truth), truth=list(truth.values()))
    if is_pandas(truth, "Series"):
        return rows_in_memory(cast("Any", truth).rename("truth").to_frame(), f"`{name}`")
    of_rows = isinstance(truth, Sequence) and any(isinstance(row, Mapping) for row in truth)
    if is_pandas(truth, "DataFrame") or of_rows:
        return rows_in_memory(truth, f"`{name}`")
    return None


def _of_array(
    truth: npt.NDArray[Any], votes: Votes, label_set: FileClasses | OpenAnswers | None, name: str
) -> Ints:
    size = len(votes.ids)
    texts = truth.dtype.kind in "UO" and truth.shape == (size,)
    if texts and label_set is not None and any(isinstance(x, str) for x in truth.tolist()):
        rows = rows_of_columns(f"`{name}`", truth=truth.tolist())
        row_id = np.arange(size, dtype=np.int32)
        return truth_of(rows, rows.table["truth"], row_id, size, label_set, name)
    are_numbers = truth.shape == (size,) and np.issubdtype(truth.dtype, np.integer)
    if not are_numbers or ((truth < NO_CANDIDATE) | (truth >= votes.candidates)).any():
        raise InputError(
            f"`{name}` must be ({size},) answer numbers below each item's number of candidates, "
            f"ABSTAIN where unknown; got {truth.dtype} of shape {truth.shape}."
        )
    return truth.astype(np.int64)
