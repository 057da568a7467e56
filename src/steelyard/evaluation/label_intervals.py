"""Intervals for how good labels and their scores are, over examples and seeds."""

from collections.abc import Callable, Sequence

import numpy as np

from steelyard.evaluation.metrics import auroc_of_score, binary_auroc
from steelyard.evaluation.resample_sums import Counts, blocks, column_sums, safe_ratio
from steelyard.types import Floats, Interval, Ints

RESAMPLES = 500

Statistic = Callable[[Counts | None], Floats]


def resample_both(groups: Ints, seeds: Ints, resamples: int = RESAMPLES, seed: int = 0) -> Counts:
    """How often each entry counts, (R, N): groups and seeds are both drawn with replacement.

    An entry counts as often as its group times as often as its seed. With one seed only groups are
    drawn.

    Args:
        groups: (N,), group number of each entry; those of one example in several seeds are equal.
        seeds: (N,), number of the seed of each entry.
        resamples: R.
        seed: random seed.

    Source: Owen 2007, arXiv:0712.1111 (the pigeonhole bootstrap; its variance is too large rather
    than too small).
    """
    rng = np.random.default_rng(seed)
    group, run = (np.unique(of, return_inverse=True)[1] for of in (groups, seeds))
    sizes = int(group.max()) + 1, int(run.max()) + 1
    counts = np.empty((resamples, len(group)))
    for row in counts:
        drawn = [np.bincount(rng.integers(0, n, n), minlength=n) for n in sizes]
        if sizes[1] == 1:
            drawn[1] = np.ones(1, dtype=np.int64)
        row[:] = drawn[0][group] * drawn[1][run]
    return counts


def label_accuracy(right: Floats) -> Statistic:
    """Mean of right (N,), shares of right labels, on each resample."""
    columns = np.column_stack([right, np.ones(len(right))])

    def value(counts: Counts | None) -> Floats:
        total = column_sums(columns, counts)
        return safe_ratio(total[:, 0], total[:, 1])

    return value


def auroc_of_labels(score: Floats, right: Floats) -> Statistic:
    """Probability that a right label scores above a wrong one, on each resample."""
    return lambda counts: binary_auroc(right, score, counts)


def aurc_of_labels(score: Floats, right: Floats) -> Statistic:
    """Area under the risk-coverage curve on each resample, as `score_quality` computes it.

    Tied labels are in random order: of a tie of weight g with e wrong ones, after w labels of which
    b are wrong, the risks are (b + j e / g) / (w + j) for j = 1..g.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(-score[order], prepend=-np.inf) > 0)

    def value(counts: Counts | None) -> Floats:
        return np.concatenate([_aurc(block[:, order]) for block in blocks(counts, len(score))])

    def _aurc(weight: Floats) -> Floats:
        size = np.add.reduceat(weight, starts, axis=1)
        wrong = np.add.reduceat(weight * (1 - right[order]), starts, axis=1)
        before, errors = size.cumsum(axis=1) - size, wrong.cumsum(axis=1) - wrong
        total = size.sum(axis=1)
        harmonic = _harmonic(int(total.max(initial=0)))
        first, last = harmonic[before.astype(int)], harmonic[(before + size).astype(int)]
        share = safe_ratio(wrong, size, undefined=0.0)
        risks = share * size + (errors - share * before) * (last - first)
        return safe_ratio(risks.sum(axis=1), total)

    return value


def _harmonic(most: int) -> Floats:
    """1 + 1/2 + ... + 1/n for n = 0..most."""
    return np.concatenate([[0.0], (1 / np.arange(1, most + 1)).cumsum()])


def label_interval(statistic: Statistic, counts: Counts) -> Interval | None:
    """The value on all entries with the 2.5 and 97.5 % quantiles over resamples; None if undefined.

    None as well where more than half of the resamples are not defined, or nothing was resampled.
    """
    value, drawn = float(statistic(None)[0]), statistic(counts)
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(drawn) < len(counts) / 2 or not len(drawn):
        return None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value))


def intervals_of_labels(
    score: Sequence[float] | Floats, right: Floats, groups: Ints, seeds: Ints
) -> dict[str, Interval | None]:
    """`accuracy`, `auroc` and `aurc` of N labels with their scores; see `resample_both`."""
    table, values = resample_both(groups, seeds), np.asarray(score, dtype=np.float64)
    statistics = {"accuracy": label_accuracy(right), "aurc": aurc_of_labels(values, right)}
    if auroc_of_score(values, right) is not None:
        statistics["auroc"] = auroc_of_labels(values, right)
    spans = {name: label_interval(statistic, table) for name, statistic in statistics.items()}
    return {name: spans.get(name) for name in ("accuracy", "auroc", "aurc")}
