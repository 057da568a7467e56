"""Names of items and voters: texts, and numbers however they are written."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.errors import InputError, printable
from steelyard.io.columns import MISSING, Codes, Column
from steelyard.io.row_source import LocatedRows
from steelyard.io.rows import Row
from steelyard.votes_io.values import names_shown, quoted

FLOAT = re.compile(r"[+-]?[0-9]{1,15}\.0")
"""A whole number as a fraction, as pandas writes it where a value is missing."""


def name_column(
    source: LocatedRows, column: Column, name: str, rows: Codes | None = None
) -> tuple[tuple[str, ...], Codes]:
    """Names and the number of each entry's name. A whole number is the name of its digits.

    `rows` has the row of each entry, if entries are not rows; `source` and `name` are for messages.

    Raises:
        InputError: a value that is not a name.
    """
    if set(map(type, column.values)) <= {str} and _all_names(column.values):
        whole = all(map(FLOAT.fullmatch, column.values))  # as pandas writes whole numbers
        texts = [v.partition(".")[0] for v in column.values] if whole else column.values
        if len(set(texts)) == len(texts):
            return tuple(texts), column.codes
    numbers: dict[str, int] = {}
    same = np.zeros(len(column.values), dtype=np.int32)
    for code, value in enumerate(column.values):
        text = _text(value)
        if not _all_names([text]):
            entry = column.first(code)
            location, row = source.at(entry if rows is None else int(rows[entry]))
            if value is MISSING:
                require_column(location, row, name)
            raise InputError(
                f"{location}: `{name}` must be a name, a string or an integer; got "
                f"{quoted(value)}. Correct or remove the row."
            )
        same[code] = numbers.setdefault(text, len(numbers))
    return tuple(numbers), same[column.codes]


def _text(value: Any) -> str:
    """The name that a value is; empty where it is none."""
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value) if type(value) in (str, int) else ""


def _all_names(texts: Sequence[str]) -> bool:
    """Whether no text is empty, and all can be encoded: JSON escapes may not be."""
    whole = "\n".join(texts)
    try:
        whole.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in whole and all(map(str.strip, texts))


def require_column(
    location: str, row: Row, name: str, votes_have: str = "`id, voter, answer`"
) -> None:
    """Refuse a row without a column."""
    if name not in row:
        raise InputError(
            f"{location}: column `{printable(name)}` is missing, found {names_shown([*row])}. "
            f"Votes have {votes_have}."
        )
