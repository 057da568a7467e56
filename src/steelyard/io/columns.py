"""Columns of a file as distinct values and a code for each row, so that millions of rows fit.

CSV and Parquet are read by Arrow, column by column. What Arrow refuses or types oddly is read
again row by row, by the reader that names the line of a mistake; both give the same columns.
"""

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.io.csv_rows import find_separator
from steelyard.io.files import MAX_LINE_BYTES, open_bytes
from steelyard.io.rows import is_csv, read_rows

Codes: TypeAlias = npt.NDArray[np.int32]
MISSING = ...
"""The value of a row that has no such column; JSON rows may differ."""


@dataclass(frozen=True, eq=False)
class Column:
    """Row r of the file has `values[codes[r]]`."""

    values: list[Any]  # distinct by type and value, unchanged; None is null
    codes: Codes  # (R,)

    def take(self, rows: npt.NDArray[np.integer]) -> "Column":
        """The given rows; values that none of them has are dropped."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Column([self.values[code] for code in used], codes.astype(np.int32))

    def first(self, value_number: int) -> int:
        """The first row with a value."""
        return int(np.argmax(self.codes == value_number))


def read_columns(
    path: Path,
    header: Sequence[str],
    wanted: Collection[str] | None = None,
    separator: str | None = None,
) -> dict[str, Column]:
    """Read columns of a file: those in `wanted` that it has, or all.

    Args:
        path: CSV, Parquet, JSON lines, JSON or Excel.
        header: the keys of the first row.
        wanted: names of columns; None reads all.
        separator: of the cells of a CSV file; None finds it in the header.

    Raises:
        InputError: the file or a row cannot be read, or there is no row.
    """
    names = [name for name in header if wanted is None or name in wanted]
    table = None
    if is_csv(path):
        table = _read_csv(path, names, separator)
    elif path.name.lower().endswith(".parquet"):
        table = _read_parquet(path, names)
    return table or _read_by_rows(path, wanted, separator)


def _read_csv(path: Path, names: list[str], separator: str | None) -> dict[str, Column] | None:
    import pyarrow
    from pyarrow import csv

    mark, skipped = find_separator(path, MAX_LINE_BYTES) if separator is None else (separator, 0)
    with open_bytes(path) as file:
        raw = file.read()
    if skipped or b"\0" in raw:
        return None
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(raw),
            parse_options=csv.ParseOptions(delimiter=mark, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.string()),
                include_columns=names,
                strings_can_be_null=False,
            ),
        )
    except (pyarrow.ArrowException, KeyError):
        return None
    del raw
    columns: dict[str, Column] = {}
    for name in names:
        column = _encode(table.column(name))
        table = table.drop_columns(name)  # frees the text
        if column is None:
            return None
        columns[name] = column
    pyarrow.default_memory_pool().release_unused()
    blank = [any(not value.strip() for value in column.values) for column in columns.values()]
    return None if all(blank) else columns  # there may be rows without any value


def _read_parquet(path: Path, names: list[str]) -> dict[str, Column] | None:
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, Column] = {}
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for name in names:
                column = _encode(file.read(columns=[name]).column(0))
                if column is None:
                    return None
                columns[name] = column
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError, KeyError):
        return None
    pyarrow.default_memory_pool().release_unused()
    return columns


def _encode(column: Any) -> Column | None:
    """A Column from an Arrow column; None for types such as lists and dates, read row by row."""
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    plain = (types.is_string, types.is_large_string, types.is_integer, types.is_floating)
    if not any(check(kind) for check in (*plain, types.is_boolean)):
        return None
    chunks = column.dictionary_encode(null_encoding="encode").chunks
    codes = np.concatenate([chunk.indices.to_numpy().astype(np.int32) for chunk in chunks])
    return Column(chunks[0].dictionary.to_pylist(), codes)


def _read_by_rows(
    path: Path, wanted: Collection[str] | None, separator: str | None = None
) -> dict[str, Column]:
    encoders: dict[str, Encoder] = {}
    for number, (_, row) in enumerate(read_rows(path, separator=separator)):
        for name, value in row.items():
            if wanted is None or name in wanted:
                if name not in encoders:
                    encoders[name] = Encoder()
                encoders[name].fill(number)
                encoders[name].add(value)
        rows = number + 1
    for encoder in encoders.values():
        encoder.fill(rows)
    return {name: encoder.column() for name, encoder in encoders.items()}


class Encoder:
    """Builds a Column value by value; 1, 1.0, True and "1" are four different values."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._codes = array("i")
        self._strings: dict[str, int] = {}
        self._others: dict[tuple[type, str], int] = {}

    def add(self, value: Any) -> None:
        self._codes.append(self.number(value))

    def number(self, value: Any) -> int:
        """The code of a value; a new value gets the next code."""
        new = len(self.values)
        if type(value) is str:
            code = self._strings.setdefault(value, new)
        else:
            code = self._others.setdefault((type(value), repr(value)), new)
        if code == new:
            self.values.append(value)
        return code

    def fill(self, rows: int) -> None:
        """Append `MISSING` for the rows so far that lack this column."""
        while len(self._codes) < rows:
            self.add(MISSING)

    def column(self) -> Column:
        return Column(self.values, np.frombuffer(self._codes, dtype=np.int32).copy())
