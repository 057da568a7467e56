"""Rows from a file or from memory, each with its location for messages."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.io.columns import MISSING, Column, Encoder, read_columns
from steelyard.io.rows import LocatedRow, read_rows


class LocatedRows(Protocol):
    """Rows by their numbers, for messages about them."""

    @property
    def name(self) -> str:
        """The name for messages."""

    def at(self, row: int) -> LocatedRow:
        """Location and content of row number `row`, from 0."""


class RowSource(LocatedRows, Protocol):
    """Rows, by row and by column."""

    def rows(self) -> Iterator[LocatedRow]:
        """Pairs of location and row."""

    def header(self) -> list[str]:
        """The columns of the first row."""

    def columns(self, wanted: Collection[str] | None = None) -> dict[str, Column]:
        """The columns in `wanted` that exist, or all."""


@dataclass(frozen=True)
class FileRows:
    """Rows from a CSV, Parquet, JSON lines, JSON or Excel file."""

    path: Path
    separator: str | None = None  # of the cells of a CSV file; None finds it in the header

    @property
    def name(self) -> str:
        """The name for messages."""
        return self.path.name

    def rows(self) -> Iterator[LocatedRow]:
        """Pairs of location and row."""
        return read_rows(self.path, separator=self.separator)

    def header(self) -> list[str]:
        """The columns of the first row.

        Raises:
            InputError: the file cannot be read, or has no row.
        """
        return list(next(iter(self.rows()))[1])

    def columns(self, wanted: Collection[str] | None = None) -> dict[str, Column]:
        """The columns in `wanted` that exist, or all."""
        return read_columns(self.path, self.header(), wanted, self.separator)

    def at(self, row: int) -> LocatedRow:
        """Location and content of row number `row`, from 0."""
        return next(islice(self.rows(), row, None))


@dataclass(frozen=True, eq=False)
class MemoryRows:
    """Rows from a data frame or a list."""

    name: str
    table: Mapping[str, Column]
    size: int

    def rows(self) -> Iterator[LocatedRow]:
        return map(self.at, range(self.size))

    def header(self) -> list[str]:
        return list(self.at(0)[1])

    def columns(self, wanted: Collection[str] | None = None) -> dict[str, Column]:
        return {n: column for n, column in self.table.items() if wanted is None or n in wanted}

    def at(self, row: int) -> LocatedRow:
        values = {name: column.values[column.codes[row]] for name, column in self.table.items()}
        given = {name: value for name, value in values.items() if value is not MISSING}
        return f"row {row + 1} of {self.name}", given


@dataclass(frozen=True, eq=False)
class ConvertedRows:
    """Rows made from the rows of another source, which messages name."""

    source: RowSource
    table: Mapping[str, Column]
    origin: npt.NDArray[np.int32]  # row of `source` that each row was made from

    @property
    def name(self) -> str:
        """The name for messages."""
        return self.source.name

    def rows(self) -> Iterator[LocatedRow]:
        return map(self.at, range(len(self.origin)))

    def header(self) -> list[str]:
        return list(self.table)

    def columns(self, wanted: Collection[str] | None = None) -> dict[str, Column]:
        return {n: column for n, column in self.table.items() if wanted is None or n in wanted}

    def at(self, row: int) -> LocatedRow:
        values = {name: column.values[column.codes[row]] for name, column in self.table.items()}
        given = {name: value for name, value in values.items() if value is not MISSING}
        return self.source.at(int(self.origin[row]))[0], given


def rows_in_memory(value: object, name: str) -> MemoryRows:
    """Rows from a pandas DataFrame or a list of mappings.

    The index of a data frame becomes its column `id`, unless it has such a column or the index only
    counts rows.

    Args:
        value: the rows.
        name: what messages call them, such as "`votes`".

    Raises:
        InputError: `value` is something else, has no row, or has a column twice.
    """
    if is_pandas(value, "DataFrame"):
        source = _of_frame(value)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        source = _of_list(value, name)
    else:
        raise InputError(
            f"{name} must be a file, a pandas DataFrame or a list of rows ({{column: value}}); "
            f"got a {type(value).__name__}."
        )
    return _checked(source, name)


def rows_of_columns(name: str, **columns: Sequence[Any]) -> MemoryRows:
    """Rows from columns of equal length.

    Raises:
        InputError: there is no row.
    """
    table = {title: _column(map(_plain, values)) for title, values in columns.items()}
    return _checked(MemoryRows(name, table, len(next(iter(columns.values())))), name)


def is_pandas(value: object, kind: str) -> bool:
    """Whether a value is a pandas `DataFrame` or `Series`; pandas is not imported for it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, kind))


def _checked(source: MemoryRows, name: str) -> MemoryRows:
    if source.size == 0:
        raise InputError(f"{name} has no rows; at least one is needed.")
    return source


def _of_list(rows: Sequence[Any], name: str) -> MemoryRows:
    encoders: dict[str, Encoder] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(
                f"row {number + 1} of {name} must be a mapping of columns, {{...}}; "
                f"got a {type(row).__name__}."
            )
        for key, value in row.items():
            encoder = encoders.setdefault(str(key), Encoder())
            encoder.fill(number)
            encoder.add(_plain(value))
    for encoder in encoders.values():
        encoder.fill(len(rows))
    table = {key: encoder.column() for key, encoder in encoders.items()}
    return MemoryRows("the list of rows", table, len(rows))


def _of_frame(frame: Any) -> MemoryRows:
    frame = _with_index(frame)
    names = [str(name) for name in frame.columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"the data frame has a column {twice[0]!r} twice. Rename one of them.")
    table = {name: _of_series(frame.iloc[:, i]) for i, name in enumerate(names)}
    return MemoryRows("the data frame", table, len(frame))


def _with_index(frame: Any) -> Any:
    """A data frame with its index as a column, unless the index only counts rows."""
    names = list(frame.index.names)
    if any(name is not None for name in names):
        kept = [name for name in names if name is not None and name not in frame.columns]
        frame = frame.reset_index(level=kept) if kept else frame
        unnamed = len(names) == 1 and "id" not in frame.columns
        return frame.rename(columns={names[0]: "id"}) if unnamed else frame
    counts_rows = type(frame.index).__name__ == "RangeIndex"
    if "id" in frame.columns or counts_rows or len(names) > 1:
        return frame
    return frame.rename_axis("id").reset_index()


def _of_series(series: Any) -> Column:
    if series.dtype == object:
        return _column(map(_plain, series.tolist()))
    codes, values = series.factorize()  # missing values are -1
    distinct = [_plain(value) for value in values.tolist()]
    codes = np.where(codes < 0, len(distinct), codes).astype(np.int32)
    return Column([*distinct, None] if (codes == len(distinct)).any() else distinct, codes)


def _column(values: Any) -> Column:
    encoder = Encoder()
    for value in values:
        encoder.add(value)
    return encoder.column()


def _plain(value: Any) -> Any:
    """A value as a built-in type of Python; missing values of pandas are None."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return value
