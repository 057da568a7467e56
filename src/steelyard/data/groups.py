"""Rows that belong together: they share a split, and are resampled together."""

import re

import numpy as np

from steelyard.data.normalize_text import group_keys
from steelyard.errors import InputError
from steelyard.types import Ints, Split

NUMBER = re.compile(r"(.*?)(\d+)\s*$", re.DOTALL)


def row_groups(part: Split) -> Ints:
    """Group number of each row, (N,): rows of one group column value, or of one text or context.

    Rows that are joined through a third, one by its group and one by its text, are one group too.
    """
    texts = np.unique(np.array(group_keys(part.questions)), return_inverse=True)[1]
    if not part.groups:
        return texts.astype(np.int64)
    named = np.unique(np.array(part.groups), return_inverse=True)[1]
    return _joined(named.astype(np.int64), texts.astype(np.int64))


def _joined(first: Ints, second: Ints) -> Ints:
    """Components of the rows that share a number of `first` or of `second`, (N,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, size = np.arange(len(first)), len(first)
    width = size + int(first.max(initial=0)) + int(second.max(initial=0)) + 2
    columns = np.concatenate([size + first, size + int(first.max(initial=0)) + 1 + second])
    edges = coo_array(
        (np.ones(2 * size), (np.tile(rows, 2), columns)),
        shape=(width, width),
    )
    return np.asarray(connected_components(edges, directed=False)[1][:size], dtype=np.int64)


def block(value: str, size: int | None) -> str:
    """The group of a row: the value, or its block of `size` consecutive numbers at its end.

    >>> [block(f"justice-{i}", 4) for i in (3, 4, 7)]
    ['justice-0', 'justice-1', 'justice-1']

    Raises:
        InputError: blocks are wanted, and the value does not end in a number.
    """
    if size is None:
        return value
    match = NUMBER.fullmatch(value)
    if not match:
        raise InputError(
            f"`data.group_size: {size}` needs groups that end in a number; got {value!r}. Remove "
            "`group_size`, or give another column as `data.group`."
        )
    return f"{match.group(1)}{int(match.group(2)) // size}"


def rows_of_straddling(train: Split, test: Split) -> tuple[Ints, str]:
    """Rows of train whose group column value is in test as well, and the first such value."""
    tested = set(test.groups)
    rows = [i for i, name in enumerate(train.groups) if name in tested]
    return np.array(rows, dtype=np.int64), train.groups[rows[0]] if rows else ""
