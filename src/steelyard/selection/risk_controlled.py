"""The largest set of labels whose error rate is controlled, from a few labels of known truth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.errors import ConfigError, InputError
from steelyard.types import ABSTAIN, Floats, Ints
from steelyard.types.arrays import check_right

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RiskControl:
    """Labels that may be kept: all with `score >= threshold`, or none."""

    alpha: float  # largest error allowed
    delta: float  # largest probability that the error is larger
    kept: Bools  # (N,)
    trusted: int  # labels of known truth
    threshold: float | None = None  # None: no set has an error of at most alpha
    trusted_kept: int = 0  # labels of known truth among the kept
    wrong_kept: int = 0  # wrong ones of these
    bound: float | None = None  # upper Clopper-Pearson bound of the error of the kept, <= alpha
    reason: str = ""  # why no set has an error of at most alpha


def control_risk(
    score: Floats,
    right: Ints,
    alpha: float,
    delta: float = 0.1,
    thresholds: int = 20,
    starts: int = 2,
) -> RiskControl:
    """The largest set {score >= t} whose share of wrong labels is at most alpha, or none.

    Guarantee: if the labels of known truth are a random draw from all N,

        P(share of wrong labels among all with score >= threshold  >  alpha)  <=  delta

    where P is over that draw, for any score and any N, exactly and not only for large samples. It
    holds for the set, not for a single label. It does not hold if the labels of known truth were
    chosen in another way (easy ones, the first ones), or if their truth was used for the score.

    At threshold t, n known labels have score >= t and w of them are wrong. The hypothesis "the
    error at t is above alpha" is rejected if P(Binomial(n, alpha) <= w) is at most its level; an
    upper Clopper-Pearson bound of at most alpha is the same. Thresholds are tested from the
    strictest down. `starts` of them, spread evenly, have a level of delta / starts; the level of a
    rejected one is added to the next. One start is fixed-sequence testing, which ends at the first
    threshold that is not rejected, perhaps because of one wrong label among the best; as many
    starts as thresholds is Bonferroni's procedure, and a little better. The first start is the
    strictest threshold at which alpha could be shown. The tested thresholds depend on the scores of
    all N, not on the truth. Equal scores are kept or dropped together.

    Args:
        score: (N,), higher is more reliable. Exclude examples without a label.
        right: (N,), 1 where the label is right, 0 where it is wrong, ABSTAIN (-1) where the truth
            is unknown.
        alpha: largest share of wrong labels, in (0, 1).
        delta: largest probability that the guarantee fails, in (0, 1).
        thresholds: largest number of thresholds, at even steps of the share kept.
        starts: number of thresholds among which delta is divided.

    Raises:
        InputError: inconsistent shapes or invalid values, or no label of known truth.
        ConfigError: alpha, delta, `thresholds` or `starts` out of range.

    Source: Angelopoulos et al. 2021, "Learn then Test", arXiv:2110.01052 (here
        for the selective error, with the exact binomial p-value); levels: the fallback procedure,
        Wiens and Dmitrienko 2005, "The fallback procedure for evaluating a single family of
        hypotheses".
    """
    _check(score, right, alpha, delta, thresholds, starts)
    has_truth = right != ABSTAIN
    grid = _grid(score, thresholds)
    n = _at_least(score[has_truth], grid)
    wrong = _at_least(score[right == 0], grid)
    expected = _at_least(score, grid) * (has_truth.sum() / len(score))
    levels = _start_levels(expected, alpha, delta, starts)
    passed, level = _fallback(_p_values(wrong, n, alpha), levels)
    if not passed.any():
        return _none(alpha, delta, score, n, wrong, levels)
    last = int(np.flatnonzero(passed)[-1])
    return RiskControl(
        alpha=alpha,
        delta=delta,
        threshold=float(grid[last]),
        kept=score >= grid[last],
        trusted=int(has_truth.sum()),
        trusted_kept=int(n[last]),
        wrong_kept=int(wrong[last]),
        bound=upper_bound(int(wrong[last]), int(n[last]), float(level[last])),
    )


def upper_bound(wrong: int, n: int, delta: float) -> float:
    """The largest error that `wrong` of n leaves possible at level delta; 1 without labels.

    The p with P(Binomial(n, p) <= wrong) = delta.

    Source: Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404 (its upper end).
    """
    from scipy.special import betaincinv

    return 1.0 if wrong >= n else float(betaincinv(wrong + 1, n - wrong, 1 - delta))


def _grid(score: Floats, thresholds: int) -> Floats:
    """Distinct scores from the highest down, at most so many, at even steps of the share kept."""
    values, size = np.unique(-score, return_counts=True)
    steps = np.ceil(size.cumsum() / len(score) * thresholds - 1e-9)
    last = np.flatnonzero(np.diff(steps, append=np.inf) > 0)  # the loosest score of each step
    return -values[last]


def _at_least(score: Floats, grid: Floats) -> Ints:
    """How many scores are at or above each threshold of a descending grid."""
    return np.searchsorted(np.sort(-score), -grid, side="right").astype(np.int64)


def _least(alpha: float, level: float) -> int:
    """Smallest n with (1 - alpha)^n <= level: that many correct labels show alpha at that level."""
    return int(np.ceil(np.log(level) / np.log1p(-alpha) - 1e-9))


def _start_levels(expected: Floats, alpha: float, delta: float, starts: int) -> Floats:
    """The level of each threshold, from the number of known labels expected above it, (T,)."""
    levels = np.zeros(len(expected))
    for count in range(starts, 0, -1):
        rows = np.flatnonzero(expected >= _least(alpha, delta / count) - 1e-9)
        if len(rows) >= count:
            chosen = np.linspace(0, len(rows), count, endpoint=False).astype(np.int64)
            levels[rows[chosen]] = delta / count
            break
    return levels


def _p_values(wrong: Ints, n: Ints, alpha: float) -> Floats:
    """P(Binomial(n, alpha) <= wrong); 1 without labels."""
    from scipy.special import bdtr

    return np.where(n > 0, bdtr(wrong.astype(np.float64), np.maximum(n, 1), alpha), 1.0)


def _fallback(p: Floats, start: Floats) -> tuple[Bools, Floats]:
    """Which hypotheses are rejected, and the level each was tested at."""
    passed = np.zeros(len(p), dtype=bool)
    level = np.zeros(len(p))
    inherited = 0.0
    for i in range(len(p)):
        level[i] = start[i] + inherited
        passed[i] = level[i] > 0 and p[i] <= level[i]
        inherited = level[i] if passed[i] else 0.0
    return passed, level


def _none(
    alpha: float, delta: float, score: Floats, n: Ints, wrong: Ints, levels: Floats
) -> RiskControl:
    """The result without a set, with the threshold that was closest as the reason."""
    bounds = [
        upper_bound(int(w), int(k), float(level)) if level else 1.0
        for w, k, level in zip(wrong, n, levels, strict=True)
    ]
    best = int(np.argmin(bounds))
    trusted, least = int(n[-1]), _least(alpha, delta)
    if trusted < least:
        explanation = (
            f"even if none of them were wrong, {trusted} labels of known truth could not show it; "
            f"at least {least} are needed"
        )
    else:
        shared = f" ({levels[best]:g} of delta is its share)" if levels[best] < delta else ""
        explanation = (
            f"the best threshold has {wrong[best]} wrong among {n[best]} labels of known truth, "
            f"which leaves an error of {bounds[best]:.3f} possible{shared}"
        )
    reason = (
        f"No set of labels has an error of at most {alpha:g} with confidence {1 - delta:g}: "
        f"{explanation}."
    )
    kept = np.zeros(len(score), dtype=bool)
    return RiskControl(alpha, delta, kept, trusted, reason=reason)


def _check(
    score: Floats, right: Ints, alpha: float, delta: float, thresholds: int, starts: int
) -> None:
    check_right(score, right)
    if not np.isfinite(score).all():
        i = int(np.flatnonzero(~np.isfinite(score))[0])
        raise InputError(f"`score` must be a finite number, got {score[i]} in row {i}.")
    if (right == ABSTAIN).all():
        raise InputError(
            "Risk control needs labels of known truth, a random draw from all; got none."
        )
    for name, value in (("alpha", alpha), ("delta", delta)):
        if not 0 < value < 1:
            raise ConfigError(f"`{name}` must be in (0, 1), got {value}.")
    for name, count in (("thresholds", thresholds), ("starts", starts)):
        if count < 1:
            raise ConfigError(f"`{name}` must be at least 1, got {count}.")
