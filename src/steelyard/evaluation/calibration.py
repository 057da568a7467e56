"""Calibration: the probability that a label is right, fitted to labels with known truth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.evaluation.label_quality import ScoreQuality, score_quality
from steelyard.types import ABSTAIN, Floats, Ints
from steelyard.types.arrays import check_right, check_unit

FEWEST = 10  # labels with known truth
EDGE = 1e-3  # scores are clipped to [EDGE, 1 - EDGE] before their logit is taken

Method: TypeAlias = Literal["isotonic", "temperature"]
Curve: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated score, and how well it and the original score tell right from wrong labels."""

    score: Floats  # (N,), P(label is right), in [0, 1]
    before: ScoreQuality  # on the labels with known truth
    after: ScoreQuality  # on the same labels, each scored by a curve that did not see its truth


def calibrate(
    score: Floats, right: Ints, method: Method = "isotonic", folds: int = 5, seed: int = 0
) -> Calibration:
    """The probability of being right for each label, by its score.

    isotonic       the best nondecreasing function of the score; assumes no shape, needs more truth
    temperature    1 / (1 + exp(-(logit(score) / T + b))); two parameters, for little truth

    A label with known truth is scored by the curve fitted to the other folds, so that `after` is an
    unbiased estimate; all others are scored by the curve fitted to all known truth. The temperature
    T may be negative where the score ranks wrong labels first.

    Args:
        score: (N,), in [0, 1].
        right: (N,), 1 where the label is right, 0 where it is wrong, ABSTAIN (-1) where the truth
            is unknown.
        method: the family of curves.
        folds: number of folds of the cross-fitting, stratified by right and wrong labels.
        seed: random seed for the folds.

    Raises:
        InputError: inconsistent shapes or invalid values, fewer than 10 labels with known truth, or
            fewer than two right or two wrong ones among them.

    Source: isotonic: Zadrozny and Elkan 2002, doi:10.1145/775047.775151; temperature: Platt 1999,
        "Probabilistic Outputs for Support Vector Machines", section 2, with its smoothed targets
        (on the logit of the score, as Guo et al. 2017, arXiv:1706.04599, section 4; scores are
        clipped to [0.001, 0.999] first).
    """
    rows = _labeled_rows(score, right)
    outcome = right[rows] == 1
    fit = _FITS[method]
    calibrated = np.clip(fit(score[rows], outcome)(score), 0, 1)
    fold = _assign_folds(outcome, folds, seed)
    for f in range(folds):
        held_out, others = rows[fold == f], fold != f
        if len(held_out):
            curve = fit(score[rows[others]], outcome[others])
            calibrated[held_out] = np.clip(curve(score[held_out]), 0, 1)
    return Calibration(
        calibrated, score_quality(score[rows], outcome), score_quality(calibrated[rows], outcome)
    )


def _labeled_rows(score: Floats, right: Ints) -> Ints:
    """Numbers of the rows with known truth, ascending."""
    check_right(score, right)
    check_unit(score)
    rows = np.flatnonzero(right != ABSTAIN)
    good = int((right[rows] == 1).sum())
    if len(rows) < FEWEST or min(good, len(rows) - good) < 2:
        raise InputError(
            f"Calibration needs at least {FEWEST} labels with known truth, two right and two "
            f"wrong among them; got {len(rows)}, {good} of them right. Give more truth, or use the "
            "score without calibration."
        )
    return rows


def _assign_folds(outcome: npt.NDArray[np.bool_], folds: int, seed: int) -> Ints:
    """Fold of each label with known truth; right and wrong labels are spread evenly.

    Two labels of a kind are in at least two folds, so that every curve is fitted to both kinds.
    """
    if folds < 2:
        raise InputError(f"Cross-fitting needs at least 2 folds, got {folds}.")
    draw = np.random.default_rng(seed).random(len(outcome))
    fold = np.zeros(len(outcome), dtype=np.int64)
    for kind in (True, False):
        members = np.flatnonzero(outcome == kind)
        fold[members[np.argsort(draw[members])]] = np.arange(len(members)) % folds
    return fold


def _isotonic(score: Floats, right: npt.NDArray[np.bool_]) -> Curve:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    model.fit(score, right.astype(np.float64))
    return lambda values: np.asarray(model.predict(values))


def _temperature(score: Floats, right: npt.NDArray[np.bool_]) -> Curve:
    from sklearn.linear_model import LogisticRegression

    good = right.sum()
    bad = len(right) - good
    # Platt's targets: n right labels and one pseudo-count of a wrong one, and vice versa
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    x = _logit(score)[:, None]
    model = LogisticRegression(C=1e6, max_iter=1000)  # almost no penalty
    model.fit(
        np.concatenate([x, x]),
        np.repeat([1, 0], len(x)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    return lambda values: np.asarray(model.predict_proba(_logit(values)[:, None])[:, 1])


def _logit(score: Floats) -> Floats:
    inner = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inner / (1 - inner)))


_FITS: dict[Method, Callable[[Floats, npt.NDArray[np.bool_]], Curve]] = {
    "isotonic": _isotonic,
    "temperature": _temperature,
}
