"""How many more votes the labels need: a curve of accuracy by votes, fitted and extended."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.diagnostics.drop_voter import votes_about
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.types.arrays import one_hot, tally

GOALS = (0.9, 0.95, 0.99)
LEVELS = np.linspace(0.3, 1.0, 8)
"""Shares of the votes that are drawn."""
DRAWS = 10
RESAMPLES = 20
FEWEST_ITEMS = 50
MOST_CELLS = 2_000_000  # items times classes
MOST_ITEMS = 5000
USUAL_EXPONENT = (-0.3, 0.01)  # its logarithm on crowd sets, and the weight of that prior
FORM_ERROR = (0.54, 1.0, 1.84)
"""Gains in accuracy over those forecast: exp(0.5 z), z = -1.22, 0, 1.22 (standard deviation 1).
Forecasts of doubled votes err by about as much on crowd sets: their curves have other forms."""
FARTHEST = 20.0  # times the votes at hand, above which nothing is forecast


@dataclass(frozen=True)
class VotesNeeded:
    """How many further votes a goal needs."""

    goal: float  # share of right labels
    votes: int | None  # None: not within 20 times the votes at hand, or never
    low: int | None  # 5 % quantile
    high: int | None  # 95 % quantile; None: perhaps never


@dataclass(frozen=True)
class MoreVotes:
    """What a number of further votes is expected to bring."""

    votes: int
    accuracy: float


@dataclass(frozen=True)
class Forecast:
    """What more votes of the same voters would bring, if spread evenly over the items."""

    judged_by: str  # "truth", or "labels": the posterior of the method
    now: float  # share of right labels
    limit: float  # share that no number of such votes exceeds, by the curve
    goals: tuple[VotesNeeded, ...]  # those above `now`
    after: tuple[MoreVotes, ...]  # half as many votes again, and as many again


@dataclass(frozen=True, eq=False)
class VotesCurve:
    """Share of right labels of an item with n votes: limit - gap / n^exponent for n >= 1."""

    limit: float
    gap: float
    exponent: float
    chance: float  # with no vote; between 0 and 1 votes a straight line

    def __call__(self, votes: Floats) -> Floats:
        """Expected share of right labels at these numbers of votes."""
        power = self.limit - self.gap * np.maximum(votes, 1.0) ** -self.exponent
        line = self.chance + (self.limit - self.gap - self.chance) * votes
        return np.where(votes >= 1, power, line)


def forecast_votes(
    votes: Votes,
    reliability: Reliability,
    label: Ints,
    truth: Ints | None = None,
    *,
    goals: Sequence[float] = GOALS,
    seed: int = 0,
) -> Forecast | None:
    """Forecast how many more votes are needed until a share of the labels is right.

    Parts of the votes (30 to 100 %) are drawn ten times each. The label of such a part is its
    weighted majority, a voter of expected accuracy a weighs ln(a (K - 1) / (1 - a)); it is judged
    by the truth on at least 50 known items, else by the posterior, which is too sure of itself
    where voters err together. A `VotesCurve` is fitted to these shares by least squares, with its
    exponent drawn weakly to 0.74, its mean on crowd sets. Its errors are scaled so that the curve
    goes through the accuracy of the labels reported. The interval
    of 90 % counts 20 resamples of the items and that crowds follow other curves. Large tables are
    sampled.

    Args:
        votes: at hand.
        reliability: of the method reported.
        label: (N,), its labels.
        truth: (N,), ABSTAIN where unknown.
        goals: shares in (0, 1); those reached already are dropped.
        seed: of all draws.

    Returns:
        None with fewer than 50 items, or fewer than 1.5 votes per item.

    Source: Figueroa et al. 2012, doi:10.1186/1472-6947-12-8 (inverse power law of learning curves).
    """
    items, judged_by = _judged_items(votes, truth)
    if len(items) < FEWEST_ITEMS:
        return None
    items = _sample(items, votes.num_classes, seed)
    part = votes_about(votes, items)
    number = part.counts.sum(axis=1)
    if number.mean() < 1.5:
        return None
    if judged_by == "truth" and truth is not None:
        target = one_hot(np.maximum(truth[items], 0), votes.num_classes)
        target[truth[items] < 0] = 0.0
    else:
        target = reliability.posterior[items]
    now = float(target[np.arange(len(items)), np.maximum(label[items], 0)].mean())
    right, shares = _subsampled(part, target, reliability.posterior[items], seed)
    chance = float((1 / np.maximum(part.candidates, 1)).mean())
    curve = fit_curve(right.mean(axis=0), shares, chance)
    rng = np.random.default_rng(seed)
    resampled = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(items), len(items))
        level = float(target[rows, np.maximum(label[items][rows], 0)].mean())
        resampled.append((fit_curve(right[rows].mean(axis=0), shares, chance, curve), level))
    scale = len(votes.ids) / len(items)
    needed = [_needed(goal, (curve, now), resampled, number, scale) for goal in goals if goal > now]
    ratio = (1 - now) / max(1 - float(curve(number).mean()), 1e-9)
    after = []
    for factor in (0.5, 1.0):
        error = 1 - float(curve(number + factor * number.mean()).mean())
        after.append(MoreVotes(round(factor * number.sum() * scale), _share(1 - ratio * error)))
    limit = max(now, _share(1 - ratio * (1 - curve.limit)))
    return Forecast(judged_by, now, limit, tuple(needed), tuple(after))


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _judged_items(votes: Votes, truth: Ints | None) -> tuple[Ints, str]:
    if truth is not None:
        items = np.flatnonzero((truth != ABSTAIN) & votes.answered)
        if len(items) >= FEWEST_ITEMS:
            return items, "truth"
    return np.flatnonzero(votes.answered), "labels"


def _sample(items: Ints, classes: int, seed: int) -> Ints:
    most = max(FEWEST_ITEMS, min(MOST_ITEMS, MOST_CELLS // max(1, classes)))
    if len(items) <= most:
        return items
    return np.sort(np.random.default_rng(seed).choice(items, most, replace=False))


def _subsampled(
    votes: Votes, target: Floats, posterior: Floats, seed: int
) -> tuple[Floats, Floats]:
    """P(label is right) of each item and level, (N, L); shares of the items by votes, (L, n)."""
    rng = np.random.default_rng(seed)
    n, k = len(votes.ids), votes.num_classes
    read = np.flatnonzero(votes.answer != ABSTAIN)
    example, cell = votes.example[read], votes.example[read] * k + votes.answer[read]
    weight = _weights(votes, posterior)[votes.voter[read]]
    most = int(votes.counts.sum(axis=1).max())
    right, shares = np.zeros((n, len(LEVELS))), np.zeros((len(LEVELS), most + 1))
    for level, share in enumerate(LEVELS):
        draws = DRAWS if share < 1 else 1
        for _ in range(draws):
            taken = rng.random(len(read)) < share if share < 1 else np.ones(len(read), dtype=bool)
            total = tally(cell[taken], n * k, weight[taken]).reshape(n, k)
            total[~votes.possible] = -np.inf
            leading = total >= total.max(axis=1, keepdims=True) - 1e-9
            right[:, level] += (leading * target).sum(axis=1) / leading.sum(axis=1) / draws
            number = np.bincount(example[taken], minlength=n)
            shares[level] += np.bincount(number, minlength=most + 1) / n / draws
    return right, shares


def _weights(votes: Votes, posterior: Floats) -> Floats:
    """Weight of each voter's vote, (V,), from its expected accuracy and four votes of the mean."""
    read = votes.answer != ABSTAIN
    size, k = len(votes.voters), max(2, votes.num_classes)
    right = posterior[votes.example[read], votes.answer[read]]
    number = tally(votes.voter[read], size)
    mean = float(right.mean())
    accuracy = (tally(votes.voter[read], size, right) + 4 * mean) / (number + 4)
    accuracy = accuracy.clip(1 / k + 0.01, 0.99)
    weight: Floats = np.log(accuracy * (k - 1) / (1 - accuracy))
    return weight


def fit_curve(
    right: Floats, shares: Floats, chance: float, start: VotesCurve | None = None
) -> VotesCurve:
    """The curve whose means over the items' numbers of votes are nearest to the shares seen.

    Args:
        right: (L,), share of right labels at each level.
        shares: (L, n), share of the items with 0, 1, ... votes at each level; rows sum to 1.
        chance: share of right labels without a vote.
        start: a similar curve; without it three starts are tried.
    """
    from scipy.optimize import least_squares

    votes = np.arange(shares.shape[1], dtype=float)
    top = float(right.max())

    def curve(p: Floats) -> VotesCurve:
        return VotesCurve(float(p[0]), float(np.exp(p[1])), float(np.exp(p[2])), chance)

    def residuals(p: Floats) -> Floats:
        usual, prior = USUAL_EXPONENT
        return np.append(shares @ curve(p)(votes) - right, prior * (p[2] - usual))

    low, high = np.array([top - 0.03, -8.0, -4.0]), np.array([1.0, 1.0, 2.0])
    first = min(0.999, top + 0.01)
    starts = [[first, np.log(0.2), exponent] for exponent in (-1.0, 0.0, 0.5)]
    if start is not None:
        starts = [[start.limit, np.log(start.gap), np.log(start.exponent)]]
    inside = [np.clip(x, low + 1e-6, high - 1e-6) for x in starts]
    best = min(
        (least_squares(residuals, x, bounds=(low, high)) for x in inside), key=lambda r: r.cost
    )
    return curve(best.x)


def _needed(
    goal: float,
    fitted: tuple[VotesCurve, float],
    resampled: Sequence[tuple[VotesCurve, float]],
    number: Floats,
    scale: float,
) -> VotesNeeded:
    """Votes until the goal by the curve, with quantiles over resampled items."""
    value = votes_until(goal, *fitted, number)
    each = np.sort(
        [
            votes_until(now + (goal - now) / factor, curve, now, number)
            for curve, now in resampled
            for factor in FORM_ERROR
        ]
    )
    low, high = each[int(0.05 * len(each))], each[int(0.95 * len(each))]

    def whole(x: float) -> int | None:
        return int(np.ceil(x * scale)) if np.isfinite(x) else None

    return VotesNeeded(goal, whole(value), whole(min(low, value)), whole(max(high, value)))


def votes_until(goal: float, curve: VotesCurve, now: float, number: Floats) -> float:
    """Further votes, spread evenly over the items, until the curve is at the goal; inf if never.

    Args:
        goal: share of right labels.
        curve: fitted.
        now: share of right labels at hand, to which the errors of the curve are scaled.
        number: (N,), votes of each item.
    """
    error = 1 - float(curve(number).mean())
    if now >= goal:
        return 0.0
    if error <= 0:
        return float("inf")
    allowed = max(0.0, 1 - goal) * error / (1 - now)
    low, high = 0.0, FARTHEST * float(number.mean())
    if 1 - curve(number + high).mean() > allowed:
        return float("inf")
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - curve(number + middle).mean() > allowed else (low, middle)
    return high * len(number)
