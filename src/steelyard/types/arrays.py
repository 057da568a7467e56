"""Arrays of the nouns: their types, their check at a border, and how they are joined."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


def check_rows(rows: Floats, size: int, ids: Sequence[str], name: str) -> None:
    """That rows are `size` distributions over answers.

    Raises:
        InputError: they are not; the message names the first id at fault.
    """
    if rows.ndim != 2 or len(rows) != size:
        raise InputError(f"`{name}` must have {size} rows of answers, got shape {rows.shape}.")
    bad = ~(np.isfinite(rows).all(axis=1) & (rows >= 0).all(axis=1))
    bad |= np.abs(rows.sum(axis=1) - 1) > 1e-6
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        where = f" of {ids[i]!r}" if i < len(ids) else f", row {i},"
        raise InputError(f"`{name}`{where} must be probabilities that sum to 1, got {rows[i]}.")


def rows_of(ids: Sequence[str], wanted: Sequence[str]) -> Ints:
    """Row of each wanted id, so that arrays are joined by name and never by position.

    >>> rows_of(("a", "b", "c"), ("c", "a"))
    array([2, 0])
    """
    row = {name: i for i, name in enumerate(ids)}
    missing = [name for name in wanted if name not in row]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(wanted)} ids are unknown, first {missing[0]!r}. "
            "Both must come from the same data set, sizes and seed."
        )
    return np.array([row[name] for name in wanted], dtype=np.int64)


def one_hot(labels: Ints, answers: int) -> Floats:
    """Labels as rows of a distribution, (N, answers)."""
    rows: Floats = np.eye(answers)[labels]
    return rows
