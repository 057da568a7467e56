"""Cells of a votes file: which are empty, and how messages show them."""

import re
from collections.abc import Sequence
from typing import Any

from steelyard.errors import printable
from steelyard.io.columns import MISSING

WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})(\.0*)?")


def empty(value: Any) -> bool:
    """Whether a cell is empty: null, missing, NaN, or only white space."""
    return value is None or value is MISSING or value != value or str(value).strip() == ""


def quoted(value: object) -> str:
    """A value for a message, truncated to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def names_shown(names: Sequence[str], most: int = 12) -> str:
    """Names for a message, the first ones; control characters are written as escapes.

    >>> names_shown(["a", "b", "c"], 2)
    'a, b, ...'
    """
    return ", ".join(map(printable, names[:most])) + (", ..." if names[most:] else "")


def whole_number(value: Any) -> str | None:
    """The digits of a whole number, however it is written; None for anything else.

    >>> whole_number(1), whole_number("1.0"), whole_number("01"), whole_number(True)
    ('1', '1', None, None)
    """
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer():
        return str(int(value))
    if type(value) is str and WHOLE.fullmatch(value):
        return str(int(value.partition(".")[0]))
    return None
