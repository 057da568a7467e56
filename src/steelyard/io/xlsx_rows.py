"""Rows of Excel workbooks; the extra `excel` is needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steelyard.errors import InputError
from steelyard.extras import require
from steelyard.io.csv_rows import check_header


def xlsx_rows(
    path: Path, max_bytes: int, separator: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pairs of location and row of the sheet that was open last; empty rows are ignored.

    Raises:
        InputError: it is no workbook, or a value is in a column without a name.
        MissingExtra: openpyxl is not installed.
    """
    require(f"{path.name}: reading Excel files", "openpyxl")
    header: list[str] = []
    for number, cells in enumerate(_cells(path), start=1):
        location = f"{path.name} row {number}"
        values = [None if cell is None or str(cell).strip() == "" else cell for cell in cells]
        while values and values[-1] is None:
            values.pop()
        if not values:
            continue
        if not header:
            names = ["" if value is None else str(value) for value in values]
            header = check_header(names, location)
        elif len(values) > len(header):
            raise InputError(
                f"{location} has {values[-1]!r} in a column without a name. Name or empty it."
            )
        else:
            yield location, dict(zip(header, values + [None] * len(header), strict=False))


def _cells(path: Path) -> Iterator[tuple[Any, ...]]:
    """The cells of each row of the active sheet."""
    import openpyxl

    try:
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheet = book.active or book.worksheets[0]
            yield from sheet.iter_rows(values_only=True)
    except Exception as error:  # openpyxl names no errors of damaged files
        text = str(error).split("\n")[0]
        raise InputError(f"{path} is not a whole Excel file ({text}). Save it again.") from error
