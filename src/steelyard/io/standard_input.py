"""Rows from the standard input, whose format is found by its first bytes."""

import sys
import tempfile
from pathlib import Path

from steelyard.errors import InputError
from steelyard.io.row_source import FileRows, MemoryRows

NAME = "stdin"
BEGINNINGS = {b"\x1f\x8b": ".gz", b"PAR1": ".parquet", b"PK\x03\x04": ".xlsx", b"[": ".json"}


def rows_of_standard_input(separator: str | None = None) -> MemoryRows:
    """The rows of a CSV, JSON, JSON lines, Parquet or Excel file that is piped into the program.

    Raises:
        InputError: there is nothing to read, or it cannot be read.
    """
    raw = sys.stdin.buffer.read()
    if raw.startswith(b"\x1f\x8b"):
        import gzip
        import zlib

        try:
            raw = gzip.decompress(raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{NAME} is not a whole gzip file ({error}).") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{NAME}{_ending(raw)}"
        path.write_bytes(raw)
        if not raw:
            raise InputError(f"{NAME} is empty; at least one row is needed.")
        table = FileRows(path, separator).columns()
    return MemoryRows(NAME, table, len(next(iter(table.values())).codes))


def _ending(raw: bytes) -> str:
    text = raw.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return ".jsonl" if b"\n" not in text.strip() or b"}\n" in text[:10_000_000] else ".json"
    endings = (ending for start, ending in BEGINNINGS.items() if text.startswith(start))
    return next(endings, ".csv")
