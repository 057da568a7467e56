"""How good probabilities are: Brier score, log loss, and the calibration error without bias.

As in `metrics`: truth (N,), probabilities (N, K), `counts` (R, N) of each resample or None; one
value per resample.
"""

import numpy as np

from steelyard.evaluation.resample_sums import Counts, column_sums
from steelyard.types import Floats, Ints, one_hot
from steelyard.types.arrays import expected_hits

SMALLEST = 1e-7  # probability below which the log loss grows no further: 16.1 nats
BINS = 15


def brier(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Mean of sum_k (p_k - [k is true])^2, in [0, 2], lower is better, (R,).

    Source: Brier 1950, Monthly Weather Review 78 (over all classes, not only the positive one).
    """
    return _mean(((probs - one_hot(truth, probs.shape[1])) ** 2).sum(axis=1), counts)


def log_loss(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Mean of -ln P(true class) in nats, lower is better, (R,); P below 1e-7 counts as 1e-7.

    Source: Good 1952, Journal of the Royal Statistical Society B 14 (the floor is ours).
    """
    true = np.maximum(probs[np.arange(len(truth)), truth], SMALLEST)
    return _mean(-np.log(true), counts)


def squared_calibration_error(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Mean squared distance of confidence and accuracy, without the bias of few items, (R,).

    sum over 15 bins of equal size of n_b / N (d_b^2 - v_b), with d_b the mean of right - confidence
    in a bin and v_b its squared standard error, which d_b^2 contains on average. The estimate may
    be negative. Confidence is the largest probability; of k tied classes each is the answer 1/k of
    the time. The bins are those of all items. Resamples vary around d_b without its bias, or their
    spread would be too wide.

    Source: Kumar, Liang and Ma 2019, arXiv:1909.10155, section 4 (here the variance is that of
    right - confidence, so that bins may be wide).
    """
    confidence = probs.max(axis=1)
    excess = expected_hits(truth, probs) - confidence
    order = np.argsort(confidence, kind="stable")
    bins = min(BINS, max(1, len(truth) // 2))
    group = np.empty(len(truth), dtype=np.int64)
    group[order] = np.arange(len(truth)) * bins // len(truth)
    rows = one_hot(group, bins)
    columns = np.hstack([rows, rows * excess[:, None], rows * (excess**2)[:, None]])
    mean, variance, share = _by_bin(column_sums(columns, None))
    if counts is not None:
        center = np.sign(mean) * np.sqrt(np.maximum(mean**2 - variance, 0.0))
        drawn, variance, share = _by_bin(column_sums(columns, counts))
        mean = drawn + (center - mean)
    return np.asarray((share * (mean**2 - variance)).sum(axis=1))


def _by_bin(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean of right - confidence, its squared standard error and share of items, (R, bins) each."""
    size, first, second = np.split(sums, 3, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(size > 0, first / size, 0.0)
        variance = np.where(size > 1, (second - size * mean**2) / (size * (size - 1)), mean**2)
    return mean, variance, size / size.sum(axis=1, keepdims=True)


def _mean(values: Floats, counts: Counts | None) -> Floats:
    sums = column_sums(np.column_stack([values, np.ones(len(values))]), counts)
    return np.asarray(sums[:, 0] / sums[:, 1])
