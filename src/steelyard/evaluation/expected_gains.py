"""Which arm to choose: what past studies say of each, and how it does on rows of known truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from steelyard.errors import InputError
from steelyard.evaluation.interval import CONFIDENCE
from steelyard.types import Floats, Interval

DRAWS = 4000
FEWEST_SETS = 3
"""Data sets below which past studies say nothing of how gains vary."""
UNKNOWN = 0.05
"""Standard deviation of the gain of an arm without past, as a share of the score's range."""


@dataclass(frozen=True, eq=False)
class PastGains:
    """Gains of arms over the majority's answers on data sets that were studied before."""

    sets: tuple[str, ...]  # (D,)
    arms: tuple[str, ...]  # (P,)
    gains: Floats  # (D, P), differences of scores, higher is better
    within: Floats  # (P, P), covariance of the gains over draws of the labelled rows of a set

    def of_arms(self, names: Sequence[str]) -> "PastGains":
        """The same of some arms alone."""
        columns = [i for i, arm in enumerate(self.arms) if arm in names]
        arms = tuple(self.arms[i] for i in columns)
        within = self.within[np.ix_(columns, columns)]
        return PastGains(self.sets, arms, self.gains[:, columns], within)

    def without(self, name: str) -> "PastGains":
        """The same without one data set."""
        kept = [i for i, of in enumerate(self.sets) if of != name]
        sets = tuple(self.sets[i] for i in kept)
        return PastGains(sets, self.arms, self.gains[kept], self.within)


@dataclass(frozen=True, eq=False)
class TriedGains:
    """Gains of arms over the majority's answers on rows of known truth."""

    gains: Floats  # (A,)
    covariance: Floats  # (A, A), over resamples of the rows


@dataclass(frozen=True, eq=False)
class ExpectedGains:
    """Gains to expect of A arms over the majority's answers, as a normal distribution."""

    arms: tuple[str, ...]
    mean: Floats  # (A,)
    covariance: Floats  # (A, A)

    def interval(self, arm: str) -> Interval:
        """Expected gain of an arm over the majority, with 95 % interval."""
        i = self.arms.index(arm)
        mean = float(self.mean[i])
        half = float(ndtri((1 + CONFIDENCE) / 2) * np.sqrt(self.covariance[i, i]))
        return Interval(mean, mean - half, mean + half)

    def ranks(self) -> tuple[list[tuple[int, int]], Floats]:
        """Range of each arm's rank in 90 % of draws, 1 is best, and how often each is best.

        Equal gains have one rank, and share being the best. The majority, with gain 0, is the last
        of the A + 1 entries.
        """
        from scipy.stats import rankdata  # takes time to import

        draws = np.random.default_rng(0).multivariate_normal(
            self.mean, self.covariance, DRAWS, method="eigh"
        )
        whole = np.column_stack([draws, np.zeros(DRAWS)])
        ranks = rankdata(-whole.round(12), method="min", axis=1)
        low, high = np.quantile(ranks, [0.05, 0.95], axis=0, method="nearest")
        first = ranks == 1
        best: Floats = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
        return [(int(a), int(b)) for a, b in zip(low, high, strict=True)], best


def expected_gains(
    arms: Sequence[str],
    past: PastGains | None,
    tried: TriedGains | None,
    score_range: float = 1.0,
) -> ExpectedGains:
    """Gains to expect on a data set, given past studies and a try on rows of known truth.

    Gains on data sets are taken for draws of a normal distribution with the mean m and the
    covariance S of past studies (S shrunk by Ledoit and Wolf, times 1 + 1/D for the error of m). An
    arm without past has mean 0 and standard deviation .05 of the score's range. Gains y on known
    rows are those of one draw of labelled rows: their covariance C is that over resamples and, of
    arms with a past, that over draws in past studies. They make of it the normal posterior

        mean = m + S (S + C)^-1 (y - m),    covariance = S - S (S + C)^-1 S

    >>> gains = np.array([[0.0], [0.1], [0.2]])
    >>> past = PastGains(("a", "b", "c"), ("refine",), gains, np.zeros((1, 1)))
    >>> tried = TriedGains(np.array([0.3]), np.array([[1.0]]))  # a try that says little
    >>> round(float(expected_gains(["refine"], past, tried).mean[0]), 3)
    0.103

    Args:
        arms: A names, without the majority.
        past: None, or fewer than 3 data sets, says nothing.
        tried: of these arms, or None.
        score_range: of the metric, its largest less its smallest score.

    Raises:
        InputError: nothing is known of any arm.

    Source: Gelman et al., Bayesian Data Analysis, section 3.5 (normal prior and likelihood);
        Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4.
    """
    if past is not None and len(past.sets) < FEWEST_SETS:
        past = None
    if past is None and tried is None:
        raise InputError(
            "Nothing is known of the arms: there is neither a try on rows of known truth nor a "
            f"past study on at least {FEWEST_SETS} data sets. Set `data.weak_train`."
        )
    mean, spread = _prior(arms, past, UNKNOWN * score_range)
    if tried is None:
        return ExpectedGains(tuple(arms), mean, spread)
    error = tried.covariance + _within(arms, past)
    weight = np.linalg.solve(spread + error, spread).T
    mean = mean + weight @ (tried.gains - mean)
    rest = np.eye(len(arms)) - weight
    covariance = rest @ spread @ rest.T + weight @ error @ weight.T  # never below 0
    return ExpectedGains(tuple(arms), mean, covariance)


def _within(arms: Sequence[str], past: PastGains | None) -> Floats:
    """Covariance of gains over draws of the labelled rows, (A, A); 0 of arms without past."""
    within = np.zeros((len(arms), len(arms)))
    if past is not None:
        rows = [i for i, arm in enumerate(arms) if arm in past.arms]
        columns = [past.arms.index(arms[i]) for i in rows]
        within[np.ix_(rows, rows)] = past.within[np.ix_(columns, columns)]
    return within


def _prior(arms: Sequence[str], past: PastGains | None, unknown: float) -> tuple[Floats, Floats]:
    """Mean (A,) and covariance (A, A) of gains on a data set that was not studied."""
    mean, spread = np.zeros(len(arms)), unknown**2 * np.eye(len(arms))
    if past is None:
        return mean, spread
    from sklearn.covariance import ledoit_wolf

    rows = [i for i, arm in enumerate(arms) if arm in past.arms]
    if not rows:
        return mean, spread
    columns = [past.arms.index(arms[i]) for i in rows]
    gains = past.gains[:, columns]
    mean[rows] = gains.mean(axis=0)
    size = len(gains)
    shrunk = ledoit_wolf(gains)[0] * size / (size - 1)
    spread[np.ix_(rows, rows)] = shrunk * (1 + 1 / size) + 1e-10 * np.eye(len(rows))
    return mean, spread
