"""Sums over the items of each resample, from which metrics are made."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.types import Floats, Ints

Counts: TypeAlias = npt.NDArray[np.uint8] | Floats
"""How often each item counts in each resample, (R, N)."""

Metric: TypeAlias = Callable[[Ints, Floats, Counts | None], Floats]

CELLS = 2**22  # of a block of resamples: 32 MiB


def column_sums(columns: Floats, counts: Counts | None) -> Floats:
    """Sum of each column (N, C) over the items of each resample, (R, columns)."""
    return np.concatenate([block @ columns for block in blocks(counts, len(columns))])


def blocks(counts: Counts | None, items: int) -> Iterator[Floats]:
    """The counts as numbers, some resamples at a time to bound memory."""
    if counts is None:
        yield np.ones((1, items))
        return
    rows = max(1, CELLS // items)
    for start in range(0, len(counts), rows):
        yield counts[start : start + rows].astype(np.float64)


def safe_ratio(
    above: npt.NDArray[np.generic], below: npt.NDArray[np.generic], undefined: float = np.nan
) -> Floats:
    """above / below, `undefined` where below is 0."""
    out = np.full(np.shape(above), undefined)
    return np.asarray(np.divide(above, below, out=out, where=np.asarray(below) > 0))
