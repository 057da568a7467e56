"""Quality of a reliability score, measured with the truth of the labels that it rates."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.evaluation.metrics import auroc_of_score, equal_width_bins
from steelyard.types import Floats
from steelyard.types.arrays import check_unit

BINS = 10
POINTS = 100

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ScoreBin:
    """Labels of similar score."""

    low: float  # smallest score
    high: float  # largest score
    share: float  # of all labels, in (0, 1]
    accuracy: float  # share of right labels


@dataclass(frozen=True)
class CoverageRisk:
    """How many labels are kept when the highest scores are kept first, and their error rate."""

    coverage: float  # share of labels kept, in (0, 1]
    risk: float  # share of wrong labels among them


@dataclass(frozen=True)
class ScoreQuality:
    """How well a score separates right labels from wrong ones."""

    auroc: float | None  # None if all labels are right or all wrong
    aurc: float  # area under the risk-coverage curve, lower is better
    ece: float  # of the score read as the probability of being right, lower is better
    bins: tuple[ScoreBin, ...]  # by rising score
    risk_coverage: tuple[CoverageRisk, ...]  # by rising coverage, at most 100


def score_quality(score: Floats, right: Bools) -> ScoreQuality:
    """Ranking and calibration of scores (N,) in [0, 1] of labels that are `right` (N,) or not.

    auroc   probability that a right label scores above a wrong one, a tie counts one half
    aurc    mean over k = 1..N of the risk of the k labels of highest score
    ece     sum over 10 bins of equal width of |right labels - sum of scores| / N
    bins    one per distinct score if there are at most 10, else 10 of about equal size

    Tied scores have no order: their risk is the mean over all orders, and they share a bin.

    Raises:
        InputError: no labels, shapes that differ, or a score that is not in [0, 1].

    Source: AURC: Geifman, Uziel and El-Yaniv 2019, arXiv:1805.08206 (ties: ours); ECE: Guo et
    al. 2017, arXiv:1706.04599, section 2.
    """
    if score.ndim != 1 or len(score) == 0 or right.shape != score.shape:
        raise InputError(
            "`score` and `right` must have one entry per label, at least one; "
            f"got {score.shape} and {right.shape}."
        )
    if right.dtype != np.bool_:
        raise InputError(f"`right` must be True or False for each label, got {right.dtype}.")
    check_unit(score)
    risks = _expected_risks(score, right)
    n = len(score)
    excess = np.bincount(equal_width_bins(score, BINS), weights=right - score)
    kept = np.unique(np.linspace(1, n, min(n, POINTS)).round().astype(np.int64))
    return ScoreQuality(
        auroc=auroc_of_score(score, right),
        aurc=float(risks.mean()),
        ece=float(np.abs(excess).sum() / n),
        bins=_accuracy_by_score(score, right),
        risk_coverage=tuple(CoverageRisk(int(k) / n, float(risks[k - 1])) for k in kept),
    )


def _expected_risks(score: Floats, right: Bools) -> Floats:
    """Risk of the k labels of highest score for k = 1..N, ties in random order, (N,).

    Each of g tied labels of which e are wrong adds e / g expected errors.
    """
    _, group, size = np.unique(-score, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right) / size
    errors = np.repeat(wrong, size).cumsum()
    return np.asarray(errors / np.arange(1, len(score) + 1))


def _accuracy_by_score(score: Floats, right: Bools) -> tuple[ScoreBin, ...]:
    values, group, size = np.unique(score, return_inverse=True, return_counts=True)
    if len(values) > BINS:
        middle = size.cumsum() - size / 2  # ranks, so that ties fall into one bin
        group = (BINS * middle / len(score)).astype(np.int64)[group]
    bins = (group == b for b in np.unique(group))
    return tuple(
        ScoreBin(
            low=float(score[rows].min()),
            high=float(score[rows].max()),
            share=float(rows.mean()),
            accuracy=float(right[rows].mean()),
        )
        for rows in bins
    )
