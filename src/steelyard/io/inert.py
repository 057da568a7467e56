"""Texts for the cells of a spreadsheet."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""Beginnings of cells that a spreadsheet may run as a formula."""


def inert(text: str) -> str:
    """A text for a cell, that no spreadsheet takes for a formula.

    >>> inert("=1+1"), inert("ann")
    ("'=1+1", 'ann')
    """
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
