"""Many arms against one: p-values and intervals that hold for all of them at once."""

from collections.abc import Sequence

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation.interval import CONFIDENCE, Scores, spread
from steelyard.evaluation.pgr import check_paired
from steelyard.types import Floats, Interval

_DRAWS = 20_000


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values that control the chance of any false finding among all of them.

    The i-th smallest of m is multiplied by m - i + 1; none is below that of a smaller one, none
    above 1. Valid however the tests depend on each other.

    >>> holm([0.01, 0.04, 0.03])  # .01 * 3, .03 * 2, and .04 is raised to that
    (0.03, 0.06, 0.06)

    Source: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError(f"`p_values` must be in [0, 1], got {list(p_values)}.")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return tuple(float(value) for value in adjusted)


def simultaneous_differences(models: Sequence[Scores], against: Scores) -> tuple[Interval, ...]:
    """Differences of several models from one, with intervals that all hold in 95 % of studies.

    difference +- c * standard error, where c is the .95 quantile of the largest |t| of all the
    differences. It is drawn from a multivariate t with the correlations of `interval.spread` and
    the fewest degrees of freedom among the differences. The correlations over S seeds are those of
    S points and look too strong: they are shrunk by 1 / (S - 1) towards 0. No interval is narrower
    than that of its difference alone.

    Raises:
        InputError: no models, or not of the same metric, items, seeds and resamples.

    Source: Hothorn, Bretz and Westfall 2008, doi:10.1002/bimj.200810425 (max-t); the shrinkage is
    ours.
    """
    check_paired(against, *models)
    seeds = np.stack([model.seeds - against.seeds for model in models])
    resampled = np.stack([model.resampled - against.resampled for model in models])
    parts = spread(seeds, resampled, against.items)
    each = np.eye(len(models))
    errors = np.sqrt(np.maximum(np.diag(parts.total), 0.0))
    varying = errors > 1e-12
    half = np.zeros(len(models))
    if varying.any():
        freedom = min(parts.freedom(row) for row in each[varying])
        kept = parts.total[np.ix_(varying, varying)]
        correlation = kept / np.outer(errors[varying], errors[varying])
        if parts.seeds_freedom:
            correlation = correlation + (np.eye(len(kept)) - correlation) / parts.seeds_freedom
        half = largest_t(correlation, freedom) * errors
    values = seeds.mean(axis=1)
    return tuple(
        Interval(float(v), float(v - h), float(v + h)) for v, h in zip(values, half, strict=True)
    )


def largest_t(correlation: Floats, freedom: float, draws: int = _DRAWS) -> float:
    """The .95 quantile of the largest |t| of Q correlated t variables with one common error.

    Args:
        correlation: (Q, Q).
        freedom: degrees of freedom of the common error; may be infinite.
        draws: random draws; the quantile has a relative error of about 0.5 %.
    """
    rng = np.random.default_rng(0)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0))
    largest = np.abs(rng.standard_normal((draws, len(correlation))) @ root.T).max(axis=1)
    if np.isfinite(freedom):
        largest = largest / np.sqrt(rng.chisquare(freedom, draws) / freedom)
    return float(np.quantile(largest, CONFIDENCE))
