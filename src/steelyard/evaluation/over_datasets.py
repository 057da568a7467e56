"""One effect over several data sets: random-effects mean, its interval, heterogeneity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation.interval import quantile
from steelyard.evaluation.pgr import wilcoxon_over_datasets
from steelyard.types import Floats, Interval

FEWEST_FOR_WILCOXON = 6
"""With fewer data sets its two-sided p cannot be below 0.05."""


@dataclass(frozen=True)
class OverDatasets:
    """The mean effect over the data sets that these are a sample of. Units are those of effects."""

    datasets: int  # k
    mean: Interval  # 95 %, Hartung-Knapp
    p: float  # two-sided, of no mean effect
    tau2: float  # variance of true effects between data sets
    i2: float  # share of the variation that is not error, in [0, 1]
    prediction: Interval | None  # 95 %, of the true effect on another data set; None below 3
    wilcoxon: float | None  # two-sided p; None for fewer than 6 data sets


def random_effects(effects: Sequence[float], errors: Sequence[float]) -> OverDatasets:
    """Mean of true effects that differ between data sets, each estimated with its own error.

    tau2: Paule-Mandel, so that sum (y - mean)^2 / (error^2 + tau2) = k - 1, or 0. Interval: t with
    k - 1 degrees of freedom and the variance q / sum(w), w = 1 / (error^2 + tau2), where
    q = sum w (y - mean)^2 / (k - 1), at least 1, so that agreement by luck makes no interval
    narrower than the errors alone do. Prediction: mean +- t of k - 2 * sqrt(tau2 + q / sum(w)).

    Args:
        effects: (k,), such as paired differences, all in one unit.
        errors: (k,), their standard errors, > 0.

    Raises:
        InputError: fewer than two data sets, or values that are not finite or errors not above 0.

    Source: Paule and Mandel 1982, doi:10.6028/jres.087.022; Hartung and Knapp 2001,
    doi:10.1002/sim.791 (q at least 1: Roever, Knapp and Friede 2015,
    doi:10.1186/s12874-015-0091-1); prediction: Higgins, Thompson and Spiegelhalter 2009,
    doi:10.1111/j.1467-985X.2008.00552.x.
    """
    y, variance = np.asarray(effects, float), np.asarray(errors, float) ** 2
    if len(y) < 2 or y.shape != variance.shape:
        raise InputError(f"A mean over data sets needs at least 2 of them, got {len(y)}.")
    if not (np.isfinite(y).all() and np.isfinite(variance).all() and (variance > 0).all()):
        raise InputError(
            "`effects` must be finite and `errors` finite and above 0, got "
            f"{list(effects)} and {list(errors)}."
        )
    k = len(y)
    tau2 = _paule_mandel(y, variance)
    weights = 1 / (variance + tau2)
    mean = float(weights @ y / weights.sum())
    q = max(1.0, float(weights @ (y - mean) ** 2) / (k - 1))
    error = float(np.sqrt(q / weights.sum()))
    from scipy.special import stdtr

    half = quantile(k - 1) * error
    wide = quantile(k - 2) * float(np.sqrt(tau2 + error**2)) if k > 2 else 0.0
    fixed = _cochran(y, variance, 0.0)
    return OverDatasets(
        datasets=k,
        mean=Interval(mean, mean - half, mean + half),
        p=float(2 * stdtr(k - 1, -abs(mean) / error)),
        tau2=tau2,
        i2=max(0.0, 1 - (k - 1) / fixed) if fixed > 0 else 0.0,
        prediction=Interval(mean, mean - wide, mean + wide) if k > 2 else None,
        wilcoxon=wilcoxon_over_datasets(list(y)) if k >= FEWEST_FOR_WILCOXON else None,
    )


def _paule_mandel(y: Floats, variance: Floats) -> float:
    """The tau2 >= 0 at which the weighted squares are what k - 1 degrees of freedom expect."""
    from scipy.optimize import brentq

    expected = len(y) - 1
    if _cochran(y, variance, 0.0) <= expected:
        return 0.0
    most = float(((y - y.mean()) ** 2).sum())  # there no weighted square exceeds its share
    return float(brentq(lambda tau2: _cochran(y, variance, tau2) - expected, 0.0, most, xtol=1e-15))


def _cochran(y: Floats, variance: Floats, tau2: float) -> float:
    weights = 1 / (variance + tau2)
    return float(weights @ (y - weights @ y / weights.sum()) ** 2)
