"""Predictions of examples by models that were not trained on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.reliability.protocol import Features
from steelyard.types import Floats, Ints

Answers: TypeAlias = tuple[Floats, ...]
"""Predictions of each of the sequences of rows that a model was asked, (n, K) each."""


@dataclass(frozen=True, eq=False)
class Fold:
    """What one model is trained on, and the rows that it predicts."""

    rows: Ints  # (n,), different rows
    targets: Floats  # (n, K), rows sum to 1
    weights: Floats  # (n,), > 0
    asked: tuple[Ints, ...]  # rows, none of which is trained on


def held_out_folds(rows: Ints, targets: Floats, folds: int, seed: int) -> list[Fold]:
    """A fold for each part of the rows: trained on the other parts, asked that part; weights are 1.

    Args:
        rows: (n,), different rows.
        targets: (n, K), of these rows.
        folds: parts into which the rows are divided at random; a part may be empty.
        seed: of the division.
    """
    part = np.random.default_rng(seed).permutation(len(rows)) % folds
    return [
        Fold(
            rows[part != f], targets[part != f], np.ones(int((part != f).sum())), (rows[part == f],)
        )
        for f in range(folds)
    ]


def over_options(prediction: Floats, possible: npt.NDArray[np.bool_]) -> Floats:
    """A prediction over the answers that each example has, (n, K): rows sum to 1; even where all 0.

    Args:
        prediction: (n, K), >= 0; of a model that wrote unreadable answers rows sum to less than 1.
        possible: (n, K), which answers each example has.
    """
    inside = np.where(possible, prediction, 0.0)
    total = inside.sum(axis=1, keepdims=True)
    even = possible / np.maximum(possible.sum(axis=1, keepdims=True), 1)
    scaled: Floats = np.divide(inside, total, out=even, where=total > 0)
    return scaled


class FoldPredictor(Protocol):
    """Trains a model for each fold and asks it the fold's rows.

    Rows are numbers: 0 to N - 1 are the examples, N to N + M - 1 the trusted ones.
    """

    def __call__(self, folds: Sequence[Fold], size: float) -> Sequence[Answers | None]:
        """Predictions of each fold; None where no model could be trained.

        Args:
            folds: any number.
            size: total weight that a penalty on the weights is in proportion to.
        """


@dataclass(frozen=True, eq=False)
class FeatureHeads:
    """Logistic regressions on features, all folds in one solve.

    Raises (when called): TrainingError if a regression is not found.
    """

    features: Features  # (N + M, d)
    l2: float  # strength of the penalty; scikit-learn's C is 1 / (2 size l2)

    def __call__(self, folds: Sequence[Fold], size: float) -> Sequence[Answers | None]:
        heads = [HeadTargets(fold.rows, fold.targets, fold.weights) for fold in folds]
        fitted = fit_heads(self.features, heads, 1 / (2 * size * self.l2))
        return [
            tuple(head.probabilities(self.features[rows]) for rows in fold.asked)
            for head, fold in zip(fitted, folds, strict=True)
        ]


def cross_fitted(
    features: Features, targets: Floats, weights: Floats, *, folds: int, l2: float, seed: int
) -> Floats:
    """Prediction (N, K) of each example by a head that is trained on the other folds.

    A head minimises the mean cross-entropy with the targets, plus `l2` times the squared slopes.
    Examples of weight 0 are in no fold and predicted by the mean of the heads. A head whose
    examples are of one class predicts it; without any example it is uniform.

    Args:
        features: (N, d).
        targets: (N, K), rows sum to 1.
        weights: (N,), >= 0.
        folds: into which the examples with a weight are divided at random, at least 2.
        l2: strength of the penalty, as of `logistic`.
        seed: of the folds.

    Raises:
        TrainingError: a head is not found.
    """
    used = np.flatnonzero(weights > 0)
    fold = np.full(len(weights), -1)
    fold[used] = np.random.default_rng(seed).permutation(len(used)) % folds
    asked = [np.flatnonzero((fold == f) | (fold < 0)) for f in range(folds)]
    trained = [used[fold[used] != f] for f in range(folds)]
    shares = [_shares(targets[rows], weights[rows]) for rows in trained]
    several = [f for f in range(folds) if len(trained[f]) and (shares[f] > 0).sum() > 1]
    heads = [HeadTargets(trained[f], targets[trained[f]], weights[trained[f]]) for f in several]
    strengths = [1 / (2 * float(head.weights.sum()) * l2) for head in heads]
    fitted = dict(zip(several, fit_heads(features, heads, strengths), strict=True))
    total = np.zeros(targets.shape)
    for f, rows in enumerate(asked):
        total[rows] += fitted[f].probabilities(features[rows]) if f in fitted else shares[f]
    prediction: Floats = total / np.where(fold < 0, folds, 1)[:, None]
    return prediction


def _shares(targets: Floats, weights: Floats) -> Floats:
    """Share of each class, (K,); equal ones without examples."""
    if not len(weights):
        return np.full(targets.shape[1], 1 / targets.shape[1])
    shares: Floats = weights @ targets / weights.sum()
    return shares
