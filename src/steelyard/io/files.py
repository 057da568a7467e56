"""Files as checked lines of text. Every error names the file and the line."""

import difflib
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from steelyard.errors import InputError

MAX_LINE_BYTES = 8 * 2**20
BOM = b"\xef\xbb\xbf"


def check_file(path: Path) -> None:
    """Refuse a path that is not a file with content.

    Raises:
        InputError: it is missing (the nearest name in its folder is given), a folder, or empty.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} must be a file; it is a folder. Name a file inside it.")
        if not path.exists():
            raise InputError(f"{path} does not exist.{_nearest_name(path)}")
        if not path.is_file():
            raise InputError(f"{path} must be a regular file; copy its content to one.")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty; at least one row is needed.")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes; a name that ends in .gz is decompressed.

    Raises:
        InputError: it cannot be opened or is truncated.
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            yield cast("IO[bytes]", file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path} is not a whole gzip file ({error}). Copy or compress it again."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_lines(path: Path, max_bytes: int = MAX_LINE_BYTES) -> Iterator[tuple[int, str]]:
    """Line numbers (from 1) and lines of UTF-8 text with their ends; no byte order mark.

    Raises:
        InputError: a line is too long, not UTF-8 or has a NUL byte.
    """
    with open_bytes(path) as file:
        number = 0
        while line := file.readline(max_bytes + 1):
            number += 1
            if len(line) > max_bytes:
                raise InputError(
                    f"{path.name} line {number} has more than {max_bytes:,} bytes. "
                    "One row per line; is this one big JSON array? Then name it .json."
                )
            yield number, decode(line.removeprefix(BOM) if number == 1 else line, path, number)


def decode(raw: bytes, path: Path, first_line: int = 1) -> str:
    """Decode UTF-8 text without NUL; an error names the line and the byte in it."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path.name} is UTF-16. Save it as UTF-8.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        location = _location(raw, error.start, path, first_line)
        value = f"0x{raw[error.start]:02x}"
        raise InputError(f"{location} is {value}, not UTF-8. Save the file as UTF-8.") from error
    if "\0" in text:
        location = _location(raw, raw.index(0), path, first_line)
        raise InputError(f"{location} is NUL; text has none. Is the file damaged or UTF-16?")
    return text


def _location(raw: bytes, at: int, path: Path, first_line: int) -> str:
    line = first_line + raw.count(b"\n", 0, at)
    byte = at - raw.rfind(b"\n", 0, at)
    return f"{path.name} line {line}: byte {byte}"


def _nearest_name(path: Path) -> str:
    if not path.parent.is_dir():
        return f" Nor does its folder {path.parent}."
    names = [other.name for other in path.parent.iterdir() if other.is_file()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean {near[0]!r} in {path.parent}?" if near else ""
