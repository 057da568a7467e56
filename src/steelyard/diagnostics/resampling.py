"""Bootstrap over items: intervals of statistics of vote tables, for many items at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from steelyard.types import Floats, Interval, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RESAMPLES = 1000
MOST_ITEMS = 10_000
"""Items that intervals are computed on; of larger tables so many are drawn at random."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each of N items counts: once each in row 0, then in R bootstrap resamples."""

    weight: Floats  # (1 + R, N), rows sum to N

    @classmethod
    def draw(cls, items: int, resamples: int = RESAMPLES, seed: int = 0) -> "Resamples":
        """Draw R resamples of N items with replacement."""
        rng = np.random.default_rng(seed)
        weight = np.ones((1 + resamples, items))
        for row in weight[1:] if items else ():
            row[:] = np.bincount(rng.integers(0, items, size=items), minlength=items)
        return cls(weight)

    def sums(self, values: "Floats | csr_array") -> Floats:
        """Sums over the items of values (N, C), one row for each resample, (1 + R, C)."""
        return np.asarray((values.T @ self.weight.T).T)


def percentile_interval(values: Floats) -> Interval | None:
    """The value of row 0 with the 95 % percentile interval of the others; None if undefined.

    Args:
        values: (1 + R,), the statistic on all items, then on R resamples; nan is undefined.

    Returns:
        None where the statistic is undefined on all items or on more than half of the resamples.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or 2 * len(resampled) < len(values) - 1:
        return None
    low, high = np.quantile(resampled, (0.025, 0.975))
    value = float(values[0])
    return Interval(value, min(float(low), value), max(float(high), value))


def ratio(above: Floats, below: Floats) -> Floats:
    """above / below, nan where `below` is 0."""
    above, below = np.broadcast_arrays(above, below)
    values: Floats = np.full(above.shape, np.nan)
    np.divide(above, below, out=values, where=np.abs(below) > 1e-12)
    return values


def table_resamples(counts: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """A table of counts, then R multinomial resamples of it, (1 + R, *shape).

    The same as a bootstrap over the counted items, at a cost that does not grow with them.
    """
    total = round(float(counts.sum()))
    if total == 0:
        return np.repeat(counts[None], 1 + resamples, axis=0)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(total, (counts / counts.sum()).ravel(), size=resamples)
    tables: Floats = np.concatenate([counts[None], drawn.reshape(resamples, *counts.shape)])
    return tables


def sampled_items(items: Ints, most: int = MOST_ITEMS, seed: int = 0) -> Ints:
    """At most `most` of the items, drawn at random, ascending."""
    if len(items) <= most:
        return items
    return np.sort(np.random.default_rng(seed).choice(items, most, replace=False))


def as_numbers(names: Sequence[str]) -> Floats | None:
    """Class names as numbers, (K,), if all are finite numbers; else None."""
    try:
        values = np.array([float(name) for name in names])
    except ValueError:
        return None
    return values if len(values) and np.isfinite(values).all() else None
