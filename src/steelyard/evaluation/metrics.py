"""Scores of one model on the test items, on many resamples of the items at once.

A metric takes the truth (N,), class probabilities (N, K) and `counts` (R, N): how often each item
counts in each of R resamples. `None` is one resample in which every item counts once. It returns
one value in [0, 1] per resample, nan where it is undefined there. The predicted class is the most
probable one; of k equally probable classes each counts as 1/k of a prediction. A row of zeros is no
answer: it is wrong, and predicts no class (`without_abstentions` makes such rows).

Slot metrics take counts of slots (N, 3) in place of probabilities: true positives, false positives
and misses of each item. They are defined on the corpus, so counts are summed first.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from steelyard.errors import ConfigError
from steelyard.evaluation.probability_scores import brier, log_loss
from steelyard.evaluation.resample_sums import Counts as Counts
from steelyard.evaluation.resample_sums import Metric as Metric
from steelyard.evaluation.resample_sums import blocks, column_sums, safe_ratio
from steelyard.types import Floats, Ints, one_hot
from steelyard.types.arrays import expected_hits, leaders
from steelyard.types.task_kinds import KINDS

ECE_BINS = 15


def accuracy(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Share of items whose most probable class is the true one, (R,)."""
    right = expected_hits(truth, probs)
    sums = column_sums(np.column_stack([right, np.ones(len(truth))]), counts)
    return safe_ratio(sums[:, 0], sums[:, 1])


def balanced_accuracy(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Mean recall of the classes that are the truth of some item of the resample, (R,)."""
    hits, actual, _ = _confusion(truth, probs, counts)
    recall = safe_ratio(hits, actual, undefined=0.0)
    return safe_ratio(recall.sum(axis=1), (actual > 0).sum(axis=1))


def macro_f1(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Mean F1 of the classes that occur in truth or predictions of the resample, (R,).

    F1 = 2 hits / (actual + predicted); 0 for a class that is never hit.
    """
    hits, actual, predicted = _confusion(truth, probs, counts)
    f1 = safe_ratio(2 * hits, actual + predicted, undefined=0.0)
    return safe_ratio(f1.sum(axis=1), (actual + predicted > 0).sum(axis=1))


def weighted_f1(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """F1 of each class, weighted by how often the class is the truth, (R,)."""
    hits, actual, predicted = _confusion(truth, probs, counts)
    f1 = safe_ratio(2 * hits, actual + predicted, undefined=0.0)
    return safe_ratio((f1 * actual).sum(axis=1), actual.sum(axis=1))


def auroc(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Probability that an item of a class gets a higher score than one of another class, (R,).

    A tie counts one half. With two classes the score is P(class 1); with more, the mean over
    classes of each class against the rest. nan if a class is the truth of no item or of all. What
    a row lacks to 1, all of it where there is no answer, is spread evenly over the classes.

    Source: Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747 (one against rest: ours).
    """
    probs = spread_missing(probs)
    if probs.shape[1] == 2:
        return binary_auroc(truth == 1, probs[:, 1], counts)
    each = [binary_auroc(truth == k, probs[:, k], counts) for k in range(probs.shape[1])]
    return np.asarray(np.mean(each, axis=0))


def spread_missing(probs: Floats) -> Floats:
    """Probabilities with what each row lacks to 1 spread evenly over the classes, (N, K)."""
    missing = np.maximum(1 - probs.sum(axis=1, keepdims=True), 0)
    rows: Floats = np.where(missing > 1e-6, probs + missing / probs.shape[1], probs)
    return rows


def ece(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Expected calibration error, lower is better, (R,).

    sum over bins of |right answers - sum of confidences| / N, with the confidence the largest
    probability, in 15 bins of equal width; bin b holds confidences in (b / 15, (b + 1) / 15].
    A row without an answer has confidence 0.

    Source: Guo et al. 2017, arXiv:1706.04599, section 2 (15 bins as in its experiments).
    """
    confidence = probs.max(axis=1)
    right = expected_hits(truth, probs)
    rows = one_hot(equal_width_bins(confidence, ECE_BINS), ECE_BINS)
    sums = column_sums(
        np.column_stack([rows * (right - confidence)[:, None], np.ones(len(truth))]), counts
    )
    return safe_ratio(np.abs(sums[:, :-1]).sum(axis=1), sums[:, -1])


def slu_f1(truth: Ints, table: Floats, counts: Counts | None = None) -> Floats:
    """F1 of slots over the corpus, where a near filler counts in part, (R,).

    2 TP / (2 TP + FP + FN) of the summed word and character counts of `count_slots`; nan where
    there are no slots, neither true nor predicted. `truth` is not used.

    Source: Bastianelli et al. 2020, arXiv:2011.13205, section 5.
    """
    return _f1(table, counts)


def span_f1(truth: Ints, table: Floats, counts: Counts | None = None) -> Floats:
    """F1 over the corpus of slots whose type and filler are equal to a true one's, (R,)."""
    return _f1(table, counts)


def auroc_of_score(score: Floats, positive: npt.NDArray[np.bool_] | Floats) -> float | None:
    """Probability that a positive item has a higher score than another; None if undefined.

    An item of `positive` between 0 and 1 counts as so much of a positive, and the rest of another.
    """
    value = float(binary_auroc(positive, score, None)[0])
    return None if np.isnan(value) else value


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": macro_f1,
        "weighted_f1": weighted_f1,
        "auroc": auroc,
        "ece": ece,
        "brier": brier,
        "log_loss": log_loss,
    }
)

SLOT_METRICS: Mapping[str, Metric] = MappingProxyType({"slu_f1": slu_f1, "span_f1": span_f1})


def reward_margin(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
    """Mean of r(better answer) - r(worse answer) over pairs, in the model's own units, (R,).

    By Bradley and Terry's model P(better) = s(r_better - r_worse) it is the mean of ln P(better) -
    ln P(worse), in the units of a reward model's rewards or of the beta ln(pi / ref) of a
    preference-tuned model. Pairs that a model could not read (P = 0 for both) are dropped; nan if
    none remains, or where one answer has probability 0. The margin may be negative, and models with
    different units cannot be compared.

    Source: Rafailov et al. 2023, arXiv:2305.18290, equations 1 and 6.
    """
    better, worse = (probs[np.arange(len(truth)), column] for column in (truth, 1 - truth))
    readable = better + worse > 0
    with np.errstate(divide="ignore"):
        margin = np.log(np.where(readable, better, 1.0)) - np.log(np.where(readable, worse, 1.0))
    if not np.isfinite(margin).all():
        return np.full(1 if counts is None else len(counts), np.nan)
    sums = column_sums(np.column_stack([margin, readable]), counts)
    return safe_ratio(sums[:, 0], sums[:, 1])


PAIR_METRICS: Mapping[str, Metric] = MappingProxyType({"reward_margin": reward_margin})
"""Metrics of preference pairs, not within [0, 1]."""

LOWER_IS_BETTER = frozenset({"ece", "brier", "log_loss"})
LIMITS = {"brier": (0.0, 2.0), "log_loss": (0.0, np.inf), "reward_margin": (-np.inf, np.inf)}
"""Smallest and largest score where these are not 0 and 1."""


def metrics_of(task: str, answer_format: str = "text", rewards: bool = False) -> tuple[str, ...]:
    """Names of the metrics that apply to a task.

    Open answers are right or wrong, and slots have an F1. The two answers of a preference are not
    classes.

    Args:
        task: "classification", "multiple_choice", "generation" or "preference".
        answer_format: format of open answers.
        rewards: whether the probabilities of the model are computed from rewards.
    """
    if KINDS[task].is_open:
        return ("accuracy", *SLOT_METRICS) if answer_format == "slots" else ("accuracy",)
    if KINDS[task].is_pair:
        return ("accuracy", "ece", "brier", "log_loss", *(PAIR_METRICS if rewards else ()))
    return tuple(METRICS)


def find_metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        ConfigError: no metric has this name.
    """
    metrics = {**METRICS, **SLOT_METRICS, **PAIR_METRICS}
    if name in metrics:
        return metrics[name]
    similar = get_close_matches(name, metrics, n=1, cutoff=0.4)
    hint = f"Did you mean `{similar[0]}`? " if similar else ""
    raise ConfigError(
        f"`metric` must be the name of a metric, got {name!r}. {hint}Metrics: {', '.join(metrics)}."
    )


def without_abstentions(table: Floats, num_classes: int) -> Floats:
    """Answers without the further column of abstentions, as metrics take them, (N, K).

    A row whose further column is the largest is no answer and becomes 0.

    >>> without_abstentions(np.array([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]]), 2).tolist()
    [[0.7, 0.3], [0.0, 0.0]]

    Args:
        table: (N, K), or (N, K + 1) with the probability of no answer in the last column.
        num_classes: K.
    """
    if table.shape[1] <= num_classes:
        return table
    answers, none = table[:, :num_classes], table[:, num_classes:].sum(axis=1)
    rows: Floats = np.where((none >= answers.max(axis=1))[:, None], 0.0, answers)
    return rows


def equal_width_bins(values: Floats, bins: int) -> Ints:
    """Bin of each value in [0, 1]: bin b holds (b / bins, (b + 1) / bins], bin 0 also 0, (N,)."""
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def _confusion(truth: Ints, probs: Floats, counts: Counts | None) -> tuple[Floats, Floats, Floats]:
    """Items of each class that are hit, actual and predicted, each (R, K)."""
    k = probs.shape[1]
    actual, predicted = one_hot(truth, k), leaders(probs)
    sums = column_sums(np.hstack([actual * predicted, actual, predicted]), counts)
    return sums[:, :k], sums[:, k : 2 * k], sums[:, 2 * k :]


def _f1(table: Floats, counts: Counts | None) -> Floats:
    hits, false, missed = column_sums(table, counts).T
    return safe_ratio(2 * hits, 2 * hits + false + missed)


def binary_auroc(
    positive: npt.NDArray[np.bool_] | Floats, score: Floats, counts: Counts | None
) -> Floats:
    """Positives at a score times negatives below it, ties by half, over all pairs, (R,)."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf) > 0)
    sign = positive[order].astype(np.float64)
    values = []
    for block in blocks(counts, len(score)):
        weight = block[:, order]
        up = np.add.reduceat(weight * sign, starts, axis=1)
        down = np.add.reduceat(weight * (1 - sign), starts, axis=1)
        below = down.cumsum(axis=1) - down / 2
        pairs = up.sum(axis=1) * down.sum(axis=1)
        values.append(safe_ratio((up * below).sum(axis=1), pairs))
    return np.concatenate(values)
