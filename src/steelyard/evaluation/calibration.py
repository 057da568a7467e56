"""A score made into the probability that its label is right, learnt from labels of known truth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.evaluation.label_quality import ScoreQuality, judge
from steelyard.types import ABSTAIN, Floats, Ints

FEWEST = 10  # labels of known truth
EDGE = 1e-3  # scores are clipped to [EDGE, 1 - EDGE] before their logit is taken

Method: TypeAlias = Literal["isotonic", "temperature"]
Curve: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated score, and how well it and the score it was made from say what is right."""

    score: Floats  # (N,), P(label is right), in [0, 1]
    before: ScoreQuality  # on the labels of known truth
    after: ScoreQuality  # on the same labels; none of their scores saw its own truth


def calibrate(
    score: Floats, right: Ints, method: Method = "isotonic", folds: int = 5, seed: int = 0
) -> Calibration:
    """The probability of being right for each label, by its score.

    isotonic       the best nondecreasing function of the score; needs no shape, but some truth
    temperature    1 / (1 + exp(-(logit(score) / T + b))); two numbers, for little truth

    A label of known truth gets the curve that was fitted to the other folds, so that `after` is
    honest and no score knows its own label's truth; all others get the curve of all known truth.
    The temperature T may come out negative where the score ranks wrong labels first.

    Args:
        score: (N,), in [0, 1].
        right: (N,), 1 where the label is right, 0 where it is wrong, ABSTAIN (-1) where the truth
            is unknown.
        method: the family of curves.
        folds: of the cross-fitting; each has its share of right and of wrong labels.
        seed: of the draw of the folds.

    Raises:
        InputError: shapes or values that do not fit, fewer than 10 labels of known truth, or fewer
            than two right or two wrong ones among them.

    Source: isotonic: Zadrozny and Elkan 2002, doi:10.1145/775047.775151; temperature: Platt 1999,
        "Probabilistic Outputs for Support Vector Machines", section 2, with its smoothed targets
        (on the logit of the score, as Guo et al. 2017, arXiv:1706.04599, section 4; scores are
        clipped to [0.001, 0.999] first).
    """
    rows = _known(score, right)
    outcome = right[rows] == 1
    fit = _FITS[method]
    calibrated = np.clip(fit(score[rows], outcome)(score), 0, 1)
    fold = _deal(outcome, folds, seed)
    for f in range(folds):
        held, rest = rows[fold == f], fold != f
        if len(held):
            curve = fit(score[rows[rest]], outcome[rest])
            calibrated[held] = np.clip(curve(score[held]), 0, 1)
    return Calibration(calibrated, judge(score[rows], outcome), judge(calibrated[rows], outcome))


def _known(score: Floats, right: Ints) -> Ints:
    """Rows of known truth."""
    if score.ndim != 1 or right.shape != score.shape:
        raise InputError(
            "`score` and `right` must have one entry per label; "
            f"got {score.shape} and {right.shape}."
        )
    odd = ~np.isin(right, (ABSTAIN, 0, 1))
    if odd.any():
        raise InputError(
            "`right` must be 1 (right), 0 (wrong) or -1 (unknown), got "
            f"{right[odd][0]} in row {int(np.flatnonzero(odd)[0])}."
        )
    bad = ~((score >= 0) & (score <= 1))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise InputError(f"`score` must be in [0, 1], got {score[i]} in row {i}.")
    rows = np.flatnonzero(right != ABSTAIN)
    good = int((right[rows] == 1).sum())
    if len(rows) < FEWEST or min(good, len(rows) - good) < 2:
        raise InputError(
            f"Calibration needs at least {FEWEST} labels of known truth, two right and two wrong "
            f"among them; got {len(rows)}, {good} of them right. Give more truth, or use the score "
            "as it is."
        )
    return rows


def _deal(outcome: npt.NDArray[np.bool_], folds: int, seed: int) -> Ints:
    """Fold of each known label; right and wrong ones are dealt out evenly.

    Two of a kind are in two folds at least, so that every curve is fitted to both kinds.
    """
    if folds < 2:
        raise InputError(f"Cross-fitting needs at least 2 folds, got {folds}.")
    draw = np.random.default_rng(seed).random(len(outcome))
    fold = np.zeros(len(outcome), dtype=np.int64)
    for kind in (True, False):
        mine = np.flatnonzero(outcome == kind)
        fold[mine[np.argsort(draw[mine])]] = np.arange(len(mine)) % folds
    return fold


def _isotonic(score: Floats, right: npt.NDArray[np.bool_]) -> Curve:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    model.fit(score, right.astype(np.float64))

    def curve(values: Floats) -> Floats:
        return np.asarray(model.predict(values))

    return curve


def _temperature(score: Floats, right: npt.NDArray[np.bool_]) -> Curve:
    from sklearn.linear_model import LogisticRegression

    good = right.sum()
    bad = len(right) - good
    # Platt's targets: n right labels and one imagined wrong one, and the other way round
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    x = _logit(score)[:, None]
    model = LogisticRegression(C=1e6, max_iter=1000)  # next to no penalty
    model.fit(
        np.concatenate([x, x]),
        np.repeat([1, 0], len(x)),
        sample_weight=np.concatenate([target, 1 - target]),
    )

    def curve(values: Floats) -> Floats:
        return np.asarray(model.predict_proba(_logit(values)[:, None])[:, 1])

    return curve


def _logit(score: Floats) -> Floats:
    inner = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inner / (1 - inner)))


_FITS: dict[Method, Callable[[Floats, npt.NDArray[np.bool_]], Curve]] = {
    "isotonic": _isotonic,
    "temperature": _temperature,
}
