"""Rows of CSV files, whose cells are separated by commas, semicolons, tabs or bars."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steelyard.errors import InputError
from steelyard.io.files import read_lines

SEPARATORS = ",;\t|"
DIRECTIVE = re.compile(r"sep=(.)\r?\n?")
"""The first line that Excel writes to name the separator."""
QUOTED = re.compile(r'"[^"]*"')


def csv_rows(
    path: Path, max_bytes: int, separator: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pairs of location and row. Rows without any value, which Excel leaves behind, are ignored.

    Args:
        path: of the file.
        max_bytes: the longest line.
        separator: one character; None takes the one that separates the header's cells.

    Raises:
        InputError: a row has more or fewer cells than the header.
    """
    mark, skipped = find_separator(path, max_bytes) if separator is None else (separator, 0)
    lines = (line for number, line in read_lines(path, max_bytes) if number > skipped)
    limit = csv.field_size_limit(max_bytes)  # of the whole process; its default is 128 KiB
    try:
        reader = csv.reader(lines, delimiter=mark, strict=True)
        header: list[str] = []
        while True:
            location = f"{path.name} line {reader.line_num + skipped + 1}"
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise InputError(f"{location} is not CSV: {error}. Check its quotes.") from error
            if cells is None:
                return
            if not header:
                header = check_header(_without_tail(cells), location)
            elif cells and (len(cells) == 1 or any(map(str.strip, cells))):
                yield location, _check_cells(cells, header, location)
    finally:
        csv.field_size_limit(limit)


def find_separator(path: Path, max_bytes: int) -> tuple[str, int]:
    """The character that separates cells, and the number of lines before the header.

    It is the one of `SEPARATORS` that occurs most often outside quotes in the header.
    """
    if path.name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t", 0
    header = next((line for _, line in read_lines(path, max_bytes) if line.strip()), "")
    if directive := DIRECTIVE.fullmatch(header):
        return directive[1], 1
    plain = QUOTED.sub("", header)
    return max(SEPARATORS, key=plain.count), 0


def check_header(cells: list[str], location: str) -> list[str]:
    """The names of columns; InputError where one is there twice."""
    twice = [name for name in cells if cells.count(name) > 1]
    if twice:
        hint = "" if twice[0].strip() else " Or has the file no header? Then add one."
        raise InputError(
            f"{location}: column {twice[0]!r} is there twice. Rename one of them.{hint}"
        )
    return cells


def _without_tail(cells: list[str]) -> list[str]:
    """A header without the empty names that Excel leaves at its end."""
    size = max((i for i, cell in enumerate(cells, start=1) if cell.strip()), default=0)
    return cells[:size] or cells


def _check_cells(cells: list[str], header: list[str], location: str) -> dict[str, Any]:
    extra = cells[len(header) :]
    if len(cells) < len(header) or any(map(str.strip, extra)):
        raise InputError(
            f"{location} must have {len(header)} cells as the header has, got {len(cells)}. "
            "A cell with a comma or a line break needs double quotes."
        )
    return dict(zip(header, cells, strict=False))
