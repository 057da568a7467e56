"""Comparisons of models on the same test items and seeds: differences and the gap recovered."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation.interval import Scores, Spread, quantile, spread
from steelyard.evaluation.power import detectable_difference, equivalence_margin, seeds_needed
from steelyard.types import Interval

_ZERO = 1e-12  # differences of scores below this are rounding
FEWEST_SEEDS = 3
"""With fewer seeds there is no PGR: its interval would hold the truth in 78 % of studies."""


@dataclass(frozen=True)
class Difference:
    """How much better or worse one model scores than another, with its 95 % interval."""

    difference: float  # first minus second, in units of the metric
    low: float
    high: float
    p: float  # two-sided
    error: float  # standard error, over test items and seeds
    freedom: float | None  # degrees of freedom of the error; None: nothing varies
    detectable: float | None  # a true difference found in 80 % of such studies; None: one seed
    seeds_needed: int | None  # to find a true difference of this size in 80 % of studies, or None
    within: float  # the difference is not larger than this either way (TOST at 5 %)


@dataclass(frozen=True)
class GapShare:
    """A difference between two models as a share of the gap, with its 95 % interval."""

    value: float
    low: float
    high: float
    error: float  # standard error


@dataclass(frozen=True)
class PGR:
    """Performance gap recovered, or the reason why there is none."""

    interval: Interval | None
    reason: str | None
    seeds: tuple[float | None, ...]  # ratio of each seed; None where its ceiling is not above weak


def paired_difference(first: Scores, second: Scores) -> Difference:
    """Mean difference first - second over seeds, with a paired t test over items and seeds.

    t = difference / sqrt(C), with C and its degrees of freedom from `interval.spread` of the
    differences: seed s of one model is paired with seed s of the other, and both see the same
    resamples. With one seed it is the paired t test over items; if only seeds vary, over seeds.
    Identical models have p = 1. If every item and seed shows the same difference other than 0,
    p is that of the sign test on N items, 2^(1 - N). `evaluation.power` has the other numbers.

    Raises:
        InputError: the two are not of the same metric, items, seeds and resamples.
    """
    from scipy.special import stdtr

    check_paired(first, second)
    each = first.seeds - second.seeds
    value = float(each.mean())
    parts = spread(each[None], (first.resampled - second.resampled)[None], first.items)
    contrast = np.ones(1)
    error = float(np.sqrt(parts.variance(contrast)))
    if error <= _ZERO:
        p = 1.0 if abs(value) <= _ZERO else 2.0 ** (1 - first.items)
        return Difference(value, value, value, p, 0.0, None, 0.0, None, abs(value))
    freedom = parts.freedom(contrast)
    half = quantile(freedom) * error
    p = float(2 * stdtr(freedom, -abs(value) / error))
    several = len(each) > 1
    return Difference(
        value,
        value - half,
        value + half,
        p,
        error=error,
        freedom=freedom,
        detectable=detectable_difference(error, freedom) if several else None,
        seeds_needed=seeds_needed(value, parts, contrast) if several else None,
        within=equivalence_margin(value, error, freedom),
    )


def performance_gap_recovered(weak: Scores, student: Scores, ceiling: Scores) -> PGR:
    """PGR = (student - weak) / (ceiling - weak), with the error of all three.

    0 is as good as the weak supervisor, 1 as the ceiling; it may lie outside and is not clipped.
    Scores are means over seeds; both differences change sign if lower is better. There is no PGR
    if the ceiling is not above the weak supervisor, or not by more than the error of the gap:
    then its interval would be unbounded. There is none for fewer than 3 seeds either, in no seed:
    one seed does not show the error of training, and 2 seeds hardly do.

    Raises:
        InputError: the three are not of the same metric, items, seeds and resamples.

    Source: Burns et al. 2023, arXiv:2312.09390, section 3; interval: `fieller`.
    """
    check_paired(weak, student, ceiling)
    if len(weak.seeds) < FEWEST_SEEDS:
        return PGR(None, _too_few(len(weak.seeds)), (None,) * len(weak.seeds))
    sign = -1.0 if weak.lower_is_better else 1.0
    seeds = sign * np.stack([student.seeds - weak.seeds, ceiling.seeds - weak.seeds])
    resampled = sign * np.stack(
        [student.resampled - weak.resampled, ceiling.resampled - weak.resampled]
    )
    ratios = tuple(float(n / d) if d > _ZERO else None for n, d in seeds.T)
    gain, gap = (float(mean) for mean in seeds.mean(axis=1))
    if gap <= _ZERO:
        order = "below" if sign < 0 else "above"
        reason = (
            f"The ceiling is not better than the weak supervisor: its {weak.metric}, "
            f"{ceiling.value:.4f}, is not {order} {weak.value:.4f}, so there is no gap to recover."
        )
        return PGR(None, reason, ratios)
    parts = spread(seeds, resampled, weak.items)
    interval = fieller(gain, gap, parts)
    if interval is not None:
        return PGR(interval, None, ratios)
    return PGR(None, _uncertain_gap(weak.metric, gap, _half_width_below(gain / gap, parts)), ratios)


def share_of_gap(first: Scores, second: Scores, weak: Scores, ceiling: Scores) -> GapShare | None:
    """(first - second) / (ceiling - weak): the difference of two PGR, with the error of all four.

    None where there is no PGR. The standard error is that of first - second - r (ceiling - weak)
    at the estimated share r, divided by the gap; the interval is `fieller`'s.

    Raises:
        InputError: the four are not of the same metric, items, seeds and resamples.
    """
    check_paired(first, second, weak, ceiling)
    pairs = ((first, second), (ceiling, weak))
    seeds = np.stack([left.seeds - right.seeds for left, right in pairs])
    above, below = (float(mean) for mean in seeds.mean(axis=1))
    gap = -below if weak.lower_is_better else below
    if seeds.shape[1] < FEWEST_SEEDS or gap <= _ZERO:
        return None
    resampled = np.stack([left.resampled - right.resampled for left, right in pairs])
    parts = spread(seeds, resampled, weak.items)
    interval = fieller(above, below, parts)
    if interval is None:
        return None
    error = np.sqrt(max(0.0, parts.variance(np.array([1.0, -above / below])))) / gap
    return GapShare(interval.value, interval.low, interval.high, float(error))


def fieller(above: float, below: float, parts: Spread) -> Interval | None:
    """above / below with its 95 % interval; None if unbounded, which is if below may be 0.

    All ratios r for which a t test does not reject above - r below = 0: the roots of

        (below^2 - t^2 c) r^2 - 2 (above below - t^2 b) r + (above^2 - t^2 a) = 0

    with a, b, c = C[0, 0], C[0, 1], C[1, 1], and t with the degrees of freedom of the difference
    at the estimated ratio. They bound an interval if |below| > t sqrt(c).

    Source: Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x (there the degrees of freedom
    are given; ours are estimated, and those of `below` alone must find it other than 0, too).
    """
    ratio = above / below
    if abs(below) <= _half_width_below(ratio, parts):
        return None
    t = quantile(parts.freedom(np.array([1.0, -ratio])))
    (a, b), (_, c) = t**2 * parts.total
    square = below**2 - c
    middle = (above * below - b) / square
    half = np.sqrt(max(0.0, middle**2 - (above**2 - a) / square))
    return Interval(ratio, float(middle - half), float(middle + half))


def wilcoxon_over_datasets(differences: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that a method helps as often as it hurts.

    Data sets with no difference are ranked with the others and then dropped (Pratt 1959); if
    none differs, p = 1. Up to 13 data sets p is exact; below six it cannot be under 0.05.

    Args:
        differences: scores of one method minus those of the other, one per data set.

    Source: Demsar 2006, JMLR 7, section 3.1.3 (zeros after Pratt: there they are split evenly).
    """
    from scipy.stats import wilcoxon

    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise InputError(
            f"`differences` must be finite numbers, at least one, got {list(differences)}. "
            "Drop data sets without a score."
        )
    if not values.any():
        return 1.0
    return float(wilcoxon(values, zero_method="pratt").pvalue)


def _half_width_below(ratio: float, parts: Spread) -> float:
    """Half width of the interval of the denominator, with the larger t of it and of the ratio."""
    alone = np.array([0.0, 1.0])
    freedom = min(parts.freedom(alone), parts.freedom(np.array([1.0, -ratio])))
    return quantile(freedom) * float(np.sqrt(parts.variance(alone)))


def _too_few(seeds: int) -> str:
    return (
        f"PGR needs at least {FEWEST_SEEDS} seeds, got {seeds}: fewer do not show how much "
        "training varies. Raise `seeds`; 5 are better."
    )


def _uncertain_gap(metric: str, gap: float, half: float) -> str:
    return (
        f"The gap between ceiling and weak supervisor, {gap:.4f} in {metric}, may be 0 "
        f"(95 % interval {gap - half:.4f} to {gap + half:.4f}), so PGR could be anything. "
        "More test items or seeds narrow the interval; a weaker supervisor widens the gap."
    )


def check_paired(first: Scores, *others: Scores) -> None:
    """Refuse scores that are not of the same metric, items, seeds and resamples."""
    for other in others:
        for name in ("metric", "items"):
            if getattr(other, name) != getattr(first, name):
                raise InputError(
                    f"Compared scores must have the same `{name}`, got "
                    f"{getattr(first, name)!r} and {getattr(other, name)!r}."
                )
        if other.resampled.shape != first.resampled.shape:
            raise InputError(
                "Compared scores must have the same seeds and resamples, got "
                f"{first.resampled.shape} and {other.resampled.shape} (seeds, resamples). "
                "Measure all models with the same `resamples`."
            )
