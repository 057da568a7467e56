"""Rows of a data file, one by one, each with its location for messages."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from steelyard.errors import InputError
from steelyard.io.files import BOM, MAX_LINE_BYTES, check_file, decode, open_bytes, read_lines

Row: TypeAlias = dict[str, Any]
LocatedRow: TypeAlias = tuple[str, Row]  # ("train.jsonl line 7", the row)


def read_rows(path: Path, max_bytes_per_line: int = MAX_LINE_BYTES) -> Iterator[LocatedRow]:
    """Pairs of location and row of a .jsonl, .json, .csv, .parquet, .jsonl.gz or .csv.gz file.

    A location is the file's name and the line (JSON lines, CSV) or the row, from 1 (JSON, Parquet).
    Blank lines are ignored.

    Raises:
        InputError: the file or a line cannot be read, or there is no row at all.
    """
    reader = _reader(path)
    check_file(path)
    empty = True
    for located in reader(path, max_bytes_per_line):
        empty = False
        yield located
    if empty:
        raise InputError(f"{path} has no rows; at least one is needed.")


def stem(path: Path) -> str:
    """The name of a file without its suffixes.

    >>> stem(Path("a/train.v2.jsonl.gz"))
    'train.v2'
    """
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def is_csv(path: Path) -> bool:
    """Whether every cell of the file is a string."""
    return path.name.lower().removesuffix(".gz").endswith(".csv")


def _reader(path: Path) -> Callable[[Path, int], Iterator[LocatedRow]]:
    name = path.name.lower()
    for ending, reader in READERS.items():
        if name.endswith(ending):
            return reader
    raise InputError(f"{path} must end in one of {', '.join(READERS)}. Convert or rename it.")


def _json_lines(path: Path, max_bytes: int) -> Iterator[LocatedRow]:
    for number, line in read_lines(path, max_bytes):
        if not line.strip():
            continue
        location = f"{path.name} line {number}"
        row = _parse(line, location)
        if not isinstance(row, dict):
            raise InputError(
                f"{location} must be a JSON object, {{...}}; got a {type(row).__name__}. "
                "One row per line; a JSON array of rows is named .json."
            )
        yield location, row


def _json_array(path: Path, max_bytes: int) -> Iterator[LocatedRow]:
    with open_bytes(path) as file:
        text = decode(file.read().removeprefix(BOM), path)
    rows = _parse(text, path.name)
    if not isinstance(rows, list):
        raise InputError(
            f"{path.name} must be a JSON array of rows, [...]; got a {type(rows).__name__}. "
            "A file of one object per line is named .jsonl."
        )
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InputError(
                f"{path.name} row {number} must be a JSON object; got a {type(row).__name__}."
            )
        yield f"{path.name} row {number}", row


def _parse(text: str, location: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else ""
        at = at or f"column {error.colno}"
        raise InputError(f"{location} is not JSON: {error.msg}, {at}. Correct it.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{location} is JSON that cannot be read: {error}.") from error


def _csv(path: Path, max_bytes: int) -> Iterator[LocatedRow]:
    limit = csv.field_size_limit(max_bytes)  # of the whole process; its default is 128 KiB
    try:
        reader = csv.reader((line for _, line in read_lines(path, max_bytes)), strict=True)
        header: list[str] = []
        while True:
            location = f"{path.name} line {reader.line_num + 1}"
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise InputError(f"{location} is not CSV: {error}. Check its quotes.") from error
            if cells is None:
                return
            if not header:
                header = _check_header(cells, location)
            elif cells:
                yield location, _check_cells(cells, header, location)
    finally:
        csv.field_size_limit(limit)


def _check_header(cells: list[str], location: str) -> list[str]:
    twice = [name for name in cells if cells.count(name) > 1]
    if twice:
        raise InputError(f"{location}: column {twice[0]!r} is there twice. Rename one of them.")
    return cells


def _check_cells(cells: list[str], header: list[str], location: str) -> Row:
    if len(cells) != len(header):
        raise InputError(
            f"{location} must have {len(header)} cells as the header has, got {len(cells)}. "
            "A cell with a comma or a line break needs double quotes."
        )
    return dict(zip(header, cells, strict=True))


def _parquet(path: Path, max_bytes: int) -> Iterator[LocatedRow]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_header(file.schema_arrow.names, path.name)
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path.name} row {number}", row
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is not a whole Parquet file, it breaks after row {number}: {error}"
        ) from error


READERS: dict[str, Callable[[Path, int], Iterator[LocatedRow]]] = {
    ".jsonl": _json_lines,
    ".jsonl.gz": _json_lines,
    ".json": _json_array,
    ".csv": _csv,
    ".csv.gz": _csv,
    ".parquet": _parquet,
}
