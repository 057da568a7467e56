"""Rows of a data file, one by one, each with its location for messages."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from steelyard.errors import InputError
from steelyard.io.csv_rows import check_header, csv_rows
from steelyard.io.files import BOM, MAX_LINE_BYTES, check_file, decode, open_bytes, read_lines
from steelyard.io.xlsx_rows import xlsx_rows

Row: TypeAlias = dict[str, Any]
LocatedRow: TypeAlias = tuple[str, Row]  # ("train.jsonl line 7", the row)
Reader: TypeAlias = Callable[[Path, int, str | None], Iterator[LocatedRow]]
LISTS = ("samples", "rows", "records", "tasks", "items", "data")
"""Keys of a JSON object under which its rows may be."""


def read_rows(
    path: Path, max_bytes_per_line: int = MAX_LINE_BYTES, separator: str | None = None
) -> Iterator[LocatedRow]:
    """Pairs of location and row of a file whose name ends in one of `READERS`.

    A location is the file's name and the line (JSON lines, CSV) or the row, from 1 (JSON, Parquet,
    Excel). Blank lines and rows are ignored.

    Args:
        path: of the file.
        max_bytes_per_line: the longest line of CSV and JSON lines.
        separator: of the cells of a CSV file; None finds it in the header.

    Raises:
        InputError: the file or a line cannot be read, or there is no row at all.
    """
    reader = _reader(path)
    check_file(path)
    empty = True
    for located in reader(path, max_bytes_per_line, separator):
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
    return path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))


def _reader(path: Path) -> Reader:
    name = path.name.lower()
    for ending, reader in READERS.items():
        if name.endswith(ending):
            return reader
    if name.endswith((".xls", ".ods")):
        raise InputError(f"{path} cannot be read; save it as .xlsx or .csv.")
    raise InputError(f"{path} must end in one of {', '.join(READERS)}. Convert or rename it.")


def _json_lines(path: Path, max_bytes: int, separator: str | None = None) -> Iterator[LocatedRow]:
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


def _json_array(path: Path, max_bytes: int, separator: str | None) -> Iterator[LocatedRow]:
    with open_bytes(path) as file:
        text = decode(file.read().removeprefix(BOM), path)
    if _is_lines(text):
        yield from _json_lines(path, max_bytes)
        return
    rows = _parse(text, path.name)
    if isinstance(rows, dict):
        rows = next((rows[key] for key in LISTS if _is_table(rows.get(key))), rows)
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


def _is_lines(text: str) -> bool:
    """Whether the text is JSON lines, several objects one after another."""
    first, _, others = text.strip().partition("\n")
    if not first.rstrip().endswith("}") or not others:
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _parse(text: str, location: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else ""
        at = at or f"column {error.colno}"
        raise InputError(f"{location} is not JSON: {error.msg}, {at}. Correct it.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{location} is JSON that cannot be read: {error}.") from error


def _parquet(path: Path, max_bytes: int, separator: str | None) -> Iterator[LocatedRow]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            check_header(file.schema_arrow.names, path.name)
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path.name} row {number}", row
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        text = str(error).split("\n")[0]
        raise InputError(
            f"{path} is not a whole Parquet file, it breaks after row {number}: {text}"
        ) from error


READERS: dict[str, Reader] = {
    ".jsonl": _json_lines,
    ".jsonl.gz": _json_lines,
    ".json": _json_array,
    ".json.gz": _json_array,
    ".ndjson": _json_lines,
    ".ndjson.gz": _json_lines,
    ".csv": csv_rows,
    ".csv.gz": csv_rows,
    ".tsv": csv_rows,
    ".tsv.gz": csv_rows,
    ".parquet": _parquet,
    ".xlsx": xlsx_rows,
}
