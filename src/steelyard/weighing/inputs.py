"""The votes and true answers that `weigh` is given, from files or from Python."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Union, cast

import numpy as np
import numpy.typing as npt

from steelyard.data.labels import read_names, read_names_file
from steelyard.errors import ConfigError, InputError
from steelyard.io.counted import counted
from steelyard.io.files import check_file
from steelyard.io.row_source import (
    FileRows,
    RowSource,
    is_pandas,
    rows_in_memory,
    rows_of_columns,
)
from steelyard.io.rows import READERS
from steelyard.io.standard_input import rows_of_standard_input
from steelyard.types import ABSTAIN, NO_CANDIDATE, Ints, Votes
from steelyard.votes_io.classes import Answers, FileClasses, OpenAnswers
from steelyard.votes_io.lookalikes import check_lookalikes
from steelyard.votes_io.many_classes import has_many_classes, with_voted_classes
from steelyard.votes_io.read_options import READ_AS_IS, ReadOptions
from steelyard.votes_io.read_votes import LoadedVotes, read_votes
from steelyard.votes_io.tabulate import Duplicates
from steelyard.votes_io.truth import joined_truth, truth_of
from steelyard.weighing.item_columns import ItemValues, item_values, named_columns

if TYPE_CHECKING:
    import pandas

VotesInput: TypeAlias = Union[
    str, Path, Votes, "pandas.DataFrame", Sequence[Mapping[str, Any]], Sequence[str | Path]
]
"""A file, several files, a data frame, a list of rows, or a table of votes."""
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
    texts: tuple[str, ...] = ()  # (N,) of the items, "" where unknown; empty where none is known
    orders: Ints | None = None  # (M,), of the options that each vote was shown, where known


def load_votes(
    votes: VotesInput,
    truth: Truth,
    gold: Truth,
    answers: Answers,
    duplicates: Duplicates,
    classes: str | Path | Sequence[str] | None,
    options: ReadOptions = READ_AS_IS,
    separator: str | None = None,
    slices: ItemValues = None,
    texts: ItemValues = None,
) -> WeighInputs:
    """Read and check votes and true answers; `weigh` documents the arguments.

    Raises:
        InputError: something does not fit.
    """
    label_set: FileClasses | OpenAnswers | None
    columns: dict[str, Ints] = {}
    others: dict[str, tuple[str, ...]] = {}
    item_texts: tuple[str, ...] = ()
    orders: Ints | None = None
    if isinstance(votes, Votes):
        _check_table_options(options, separator)
        table = _of_voters(votes, options)
        source = VotesSource("votes in memory", "table", duplicates)
        label_set = FileClasses(votes.classes) if votes.classes else None
    else:
        named = [value for value in (truth, gold) if _is_column(value)]
        rows, name = _rows(votes, separator)
        loaded = read_votes(
            rows,
            **_class_names(votes, answers, classes),
            answers=answers,
            duplicates=duplicates,
            truth=cast("list[str]", named),
            kept_columns=named_columns(slices, texts),
            options=options,
            separator=separator,
        )
        table, label_set, columns = loaded.votes, loaded.label_set, loaded.truth
        others, item_texts, orders = loaded.columns, loaded.texts, loaded.orders
        source = _source(name, loaded, duplicates)
    notes = list(source.notes)
    known_truth, known_gold = (
        columns[value]
        if isinstance(value, str) and value in columns
        else _numbers(value, table, label_set, name, options, notes)
        for name, value in (("truth", truth), ("gold", gold))
    )
    if has_many_classes(table):
        notes.append(
            f"{table.num_classes:,} classes on {len(table.ids):,} items: only the classes that an "
            "item's votes name are its candidates, and each voter has one accuracy, without a "
            "confusion of classes."
        )
        table, known_gold, known_truth = with_voted_classes(table, known_gold, known_truth)
    in_gold = known_gold != ABSTAIN
    overlap = int(((known_truth != ABSTAIN) & in_gold).sum())
    if overlap:
        notes.append(
            f"{counted(overlap, 'item')} of `truth` {'is' if overlap == 1 else 'are'} also in "
            "`gold`, and not evaluated."
        )
    if not options.voters:
        refuses = not isinstance(votes, Votes)
        either = np.where(known_truth >= 0, known_truth, known_gold)
        notes += check_lookalikes(table, either, source.name, refuses=refuses)
    source = replace(source, notes=tuple(notes))
    return WeighInputs(
        table,
        source,
        np.where(in_gold, ABSTAIN, known_truth),
        known_gold,
        item_values("slices", slices, table, others),
        item_values("texts", texts, table, others) or item_texts,
        orders,
    )


def _check_table_options(options: ReadOptions, separator: str | None) -> None:
    for name, value in (
        ("columns", options.columns),
        ("abstain", options.abstain),
        ("separator", separator),
    ):
        if value:
            raise ConfigError(f"`{name}` is about rows, and the votes are a table; remove it.")


def _of_voters(votes: Votes, options: ReadOptions) -> Votes:
    """A table with the votes of the voters that count."""
    for name in (*options.voters, *options.without):
        if name not in votes.voters:
            near = difflib.get_close_matches(name, votes.voters, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(f"The votes have no voter {name!r}.{hint}")
    counts = options.voters or votes.voters
    kept = [v for v, n in enumerate(votes.voters) if n in counts and n not in options.without]
    if len(kept) == len(votes.voters):
        return votes
    if not kept:
        raise InputError("The votes have no vote of the voters that count.")
    number = np.full(len(votes.voters), -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    part = votes.take(np.flatnonzero(number[votes.voter] >= 0))
    names = tuple(votes.voters[v] for v in kept)
    return replace(part, voters=names, voter=number[part.voter])


def _rows(
    votes: VotesInput, separator: str | None
) -> tuple[RowSource | Path | Sequence[Path], str]:
    """The rows or the files, and their name."""
    if isinstance(votes, str | Path):
        if str(votes) == "-":
            return rows_of_standard_input(separator), "stdin"
        check_file(Path(votes))
        return Path(votes), Path(votes).name
    if _are_paths(votes):
        paths = [Path(path) for path in cast("Sequence[str | Path]", votes)]
        for path in paths:
            check_file(path)
        return paths, ", ".join(path.name for path in paths[:4]) + (", ..." if paths[4:] else "")
    return rows_in_memory(votes, "`votes`"), "votes in memory"


def _are_paths(votes: object) -> bool:
    is_sequence = isinstance(votes, list | tuple) and len(votes) > 0
    return is_sequence and all(isinstance(path, str | Path) for path in cast("list[Any]", votes))


class _ClassNames(TypedDict):
    classes: tuple[str, ...] | None
    named_in: str
    classes_may_differ: bool


def _class_names(
    votes: VotesInput, answers: Answers, classes: str | Path | Sequence[str] | None
) -> _ClassNames:
    """The names of classes that are given, or in `labels.json` beside the votes."""
    if answers != "closed":
        return {"classes": None, "named_in": "", "classes_may_differ": False}
    if isinstance(classes, str | Path):
        return {
            "classes": read_names_file(Path(classes)),
            "named_in": Path(classes).name,
            "classes_may_differ": False,
        }
    if classes is not None:
        return {"classes": tuple(classes), "named_in": "", "classes_may_differ": False}
    first: Any = cast("Sequence[Any]", votes)[0] if _are_paths(votes) else votes
    is_file = isinstance(first, str | Path) and str(first) != "-"
    names = read_names(Path(first).parent) if is_file else None
    return {
        "classes": names,
        "named_in": "labels.json" if names else "",
        "classes_may_differ": True,
    }


def _source(name: str, loaded: LoadedVotes, duplicates: Duplicates) -> VotesSource:
    notes = list(loaded.notes)
    if loaded.header.layout == "wide":
        voters, ignored = (
            ", ".join(names[:12]) + (", ..." if names[12:] else "")
            for names in (loaded.header.voters, loaded.header.ignored)
        )
        end = f"; ignored: {ignored}. Choose others with `voters`." if ignored else "."
        notes.append(f"Voters are the columns {voters}{end}")
    if loaded.header.renamed:
        names = ", ".join(f"{role} is {name!r}" for role, name in loaded.header.renamed.items())
        notes.append(f"Columns by their names: {names}.")
    for column in loaded.header.truth:
        notes.append(
            f"Column {column!r} looks like the truth and was not read; give its name as `truth` "
            "to evaluate by it. If it is a voter, list all voters with `voters`."
        )
    return VotesSource(name, loaded.header.layout, duplicates, loaded.duplicates, tuple(notes))


def _is_column(truth: object) -> bool:
    """Whether the truth is named by a column: files have one of the known endings."""
    return isinstance(truth, str) and not truth.lower().endswith(tuple(READERS))


def _numbers(
    truth: Truth,
    votes: Votes,
    label_set: FileClasses | OpenAnswers | None,
    name: str,
    options: ReadOptions,
    notes: list[str],
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
    numbers, others = joined_truth(rows, votes.ids, label_set, options.columns)
    if others:
        notes.append(f"{counted(others, 'row')} of `{name}` about other items: not used.")
    return numbers


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
