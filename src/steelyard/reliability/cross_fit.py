"""Predictions of examples by logistic heads that were not trained on them."""

import numpy as np

from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.reliability.protocol import Features
from steelyard.types import Floats


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
