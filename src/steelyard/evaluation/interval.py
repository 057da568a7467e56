"""Intervals that count both test items and seeds.

A score is the mean over S seeds of a metric on N items. Both are samples: two-way random effects,

    score of seed s on item i  =  mean + item_i + seed_s + interaction_is        (one model)

so the mean over seeds has the variance  items / N + seeds / S + interaction / (N S). For a vector
of such scores the three terms are covariance matrices, estimated from

    B  covariance over item resamples of the seed-averaged scores  -> items/N + interaction/(N S)
    V  sample covariance over seeds of the scores                  -> seeds   + interaction/N
    A  mean over seeds of each seed's covariance over resamples    -> items/N + interaction/N

    interaction/(N S) = I = (A - B) / (S - 1)      items/N = B - I      seeds/S = V/S - I

and their sum C = B + V/S - I. A component that comes out negative in some direction is set to 0
there, as is usual for variance components: then C is at least B and at least V/S in every
direction, and positive semidefinite. With one seed C = B: the error of training is not seen.
The reasons and the measured coverage are in docs/decisions/0001-intervals.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.evaluation.base_metric import BaseMetric, MetricFacts
from steelyard.evaluation.bind import bind
from steelyard.evaluation.resample_sums import Counts
from steelyard.evaluation.task_metrics import TaskMetric
from steelyard.evaluation.test_rows import TestRows
from steelyard.types import Floats, Interval, Ints

CONFIDENCE = 0.95
_ZERO = 1e-12  # differences of scores below this are rounding


@dataclass(frozen=True, eq=False)
class Scores:
    """One model on the same N test items in S seeds. Undefined resamples are nan."""

    metric: str
    items: int  # N
    seeds: Floats  # (S,), mean over the model's members
    resampled: Floats  # (S, R), the same under R resamples of the items, shared by all models
    lower_is_better: bool = False
    limits: tuple[float, float] = (0.0, 1.0)  # smallest and largest possible score

    @property
    def value(self) -> float:
        """Mean over the seeds."""
        return float(self.seeds.mean())


@dataclass(frozen=True, eq=False)
class Spread:
    """Covariance of Q scores averaged over seeds, with the parts that give degrees of freedom."""

    total: Floats  # (Q, Q), C
    items: Floats  # (Q, Q), B
    seeds: Floats  # (Q, Q), V / S
    items_freedom: float
    seeds_freedom: int
    interaction: Floats  # (Q, Q), I, part of both; 0 with one seed

    def variance(self, contrast: Floats) -> float:
        """Variance of a weighted sum of the scores."""
        return float(contrast @ self.total @ contrast)

    def freedom(self, contrast: Floats) -> float:
        """Degrees of freedom of `variance`, as a mix of two chi-squares; inf if nothing varies.

        C^2 / ((V/S)^2 / (S - 1) + B^2 / f), f = 1 / (1/(N - 1) + 1/(R - 1)).

        Source: Satterthwaite 1946, doi:10.2307/3002019 (the error of I, which has about N S
        degrees of freedom, is ignored; f adds the error of R resamples).
        """
        items = float(contrast @ self.items @ contrast)
        seeds = float(contrast @ self.seeds @ contrast)
        if items + seeds <= _ZERO**2:
            return float("inf")
        error = items**2 / self.items_freedom
        if self.seeds_freedom:
            error += seeds**2 / self.seeds_freedom
        return self.variance(contrast) ** 2 / error


def draw_resamples(
    items: int, resamples: int = 1000, seed: int = 0, groups: Ints | None = None
) -> npt.NDArray[np.uint8]:
    """How often each item counts in each bootstrap resample, (R, N).

    Draw once and use it for all models on the same items: then every comparison is paired. Items of
    one group, such as questions about one text, are drawn together: they are not independent, and
    intervals that take them for so are too narrow. Rows sum to N only without groups.

    Args:
        items: N.
        resamples: R.
        seed: random seed.
        groups: (N,), group numbers; None: every item is its own group.

    Source: groups: Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x (cluster bootstrap).
    """
    rng = np.random.default_rng(seed)
    group = np.arange(items) if groups is None else np.unique(groups, return_inverse=True)[1]
    size = int(group.max()) + 1 if items else 0
    counts = np.empty((resamples, items), dtype=np.uint8)
    for row in counts:  # a count above 255 has probability below 1e-500
        row[:] = np.bincount(rng.integers(0, size, size=size), minlength=size)[group]
    return counts


def measure(
    metric: str | BaseMetric | TaskMetric | MetricFacts,
    truth: Ints,
    probs: Sequence[Sequence[Floats]],
    resamples: Counts,
) -> Scores:
    """A model's scores in each seed, on the items and on each resample.

    Args:
        metric: name of a metric, one from outside the package, or one that was made for these items
            by `bind`.
        truth: (N,), class numbers.
        probs: for each seed the class probabilities (N, K) of each member. A student has one
            member; the floor is the mean over several weak supervisors.
        resamples: (R, N), from `draw_resamples`, the same for all models.

    Raises:
        ConfigError: no metric has this name.
        InputError: shapes do not match, or the metric is undefined on these items or on more than
            half of the resamples.
    """
    facts = bind(metric, TestRows((), truth))
    score = facts.score
    _check_shapes(truth, probs, resamples)
    seeds = [np.mean([score(truth, p, None)[0] for p in members]) for members in probs]
    resampled = [
        np.mean([score(truth, p, resamples) for p in members], axis=0) for members in probs
    ]
    scores = Scores(
        facts.name,
        len(truth),
        np.array(seeds),
        np.array(resampled),
        facts.lower_is_better,
        facts.limits,
    )
    undefined = float(np.isnan(scores.resampled).any(axis=0).mean())
    if np.isnan(scores.seeds).any() or undefined > 0.5:
        classes, sizes = np.unique(truth, return_counts=True)
        class_sizes = ", ".join(f"{c}: {n}" for c, n in zip(classes, sizes, strict=True))
        raise InputError(
            f"`{facts.name}` must be defined on the test items and on most resamples of them, but "
            f"is undefined on {undefined:.0%} of the resamples (items of each true class: "
            f"{class_sizes}). Take more test items, or a metric that is always defined, such as "
            "accuracy."
        )
    return scores


def spread(seeds: Floats, resampled: Floats, items: int) -> Spread:
    """Covariance of Q scores averaged over seeds (the module's docstring has the derivation).

    Args:
        seeds: (Q, S), score of each seed.
        resampled: (Q, S, R), the same on R shared resamples; resamples with a nan are dropped.
        items: N. A bootstrap variance is too small by the factor (N - 1) / N, which is corrected.
    """
    q, s = seeds.shape
    defined = resampled[:, :, ~np.isnan(resampled).any(axis=(0, 1))]
    r = defined.shape[2]
    if items < 2 or r < 2:
        raise InputError(
            f"An interval needs at least 2 test items and 2 resamples, got {items} and {r}. "
            "Take more test items, or more resamples in `draw_resamples`."
        )
    unbias = items / (items - 1)
    between = np.cov(defined.mean(axis=1)).reshape(q, q) * unbias
    freedom = 1 / (1 / (items - 1) + 1 / (r - 1))
    if s == 1:
        return Spread(between, between, np.zeros((q, q)), freedom, 0, np.zeros((q, q)))
    within = np.mean([np.cov(defined[:, j]).reshape(q, q) for j in range(s)], axis=0) * unbias
    training = np.cov(seeds).reshape(q, q) / s
    interaction = (within - between) / (s - 1)
    total = interaction + _positive(between - interaction) + _positive(training - interaction)
    return Spread(total, between, training, freedom, s - 1, interaction)


def mean_interval(scores: Scores) -> Interval:
    """A model's score with its 95 % interval over test items and seeds, within the metric's limits.

    t interval with the variance of `spread`. If every answer is right, or every one wrong, in all
    seeds and resamples, nothing varies and the interval is Wilson's for N items: all of N right
    gives [N / (N + 3.84), 1], on the scale between the metric's limits.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    parts = spread(scores.seeds[None], scores.resampled[None], scores.items)
    contrast = np.ones(1)
    value, variance = scores.value, parts.variance(contrast)
    least, most = scores.limits
    if variance <= _ZERO**2 and np.isfinite(most - least):
        edge = scores.items / (scores.items + quantile(float("inf")) ** 2)
        if value > most - _ZERO:
            return Interval(value, least + (most - least) * edge, most)
        if value < least + _ZERO:
            return Interval(value, least, most - (most - least) * edge)
    half = quantile(parts.freedom(contrast)) * float(np.sqrt(variance))
    return Interval(value, max(least, value - half), min(most, value + half))


def quantile(freedom: float, upper: float = (1 + CONFIDENCE) / 2) -> float:
    """Quantile `upper` of Student's t, normal at inf: half of a 95 % interval in errors."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(upper) if np.isinf(freedom) else stdtrit(freedom, upper))


def _positive(matrix: Floats) -> Floats:
    """The nearest covariance: negative eigenvalues become 0, (Q, Q)."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)


def _check_shapes(truth: Ints, probs: Sequence[Sequence[Floats]], resamples: Counts) -> None:
    items = len(truth)
    if items == 0:
        raise InputError("A score needs test items, got none.")
    if resamples.ndim != 2 or resamples.shape[1] != items:
        raise InputError(
            f"`resamples` must be (R, {items}), one column per test item, got {resamples.shape}. "
            f"Draw them with `draw_resamples({items})`."
        )
    if not probs or not all(probs):
        raise InputError("`probs` must have at least one seed and each seed at least one member.")
    for seed, members in enumerate(probs):
        for rows in members:
            if rows.ndim != 2 or len(rows) != items or truth.max() >= rows.shape[1]:
                raise InputError(
                    f"`probs` of seed {seed} must be ({items}, K) with K above the largest true "
                    f"class, {truth.max()}; got {rows.shape}."
                )
