"""How strongly a logistic head is regularised: chosen on the labels that it is trained on."""

from collections.abc import Sequence

import numpy as np

from steelyard.models.logistic import Features, HeadTargets, fit_heads
from steelyard.types import Floats

STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Values of C that are tried."""
FOLDS = 3
MIDDLE = 0.03
"""C where too few labels are there to choose."""
TOLERANCE = 1e-4  # a head that is only compared need not be solved to the last digit
SMALLEST = 1e-4  # probability below which a wrong prediction costs no more


def choose_strengths(features: Features, targets_of: Sequence[HeadTargets]) -> list[float]:
    """For each training set the C with the least cross-validated log loss on its labels.

    The rows with a weight are divided into three folds at random; of equal losses the smaller C
    is taken. Only the labels that are learned are asked, so noisy ones ask for more regularization
    and no truth is used. Where no fold leaves two classes to be trained on, C is 0.03.

    Args:
        features: (N, d).
        targets_of: the training sets, of heads on these rows.

    Source: Stone 1974, "Cross-validatory choice and assessment of statistical predictions".
    """
    folds = [_folds(head) for head in targets_of]
    trials = [(i, j) for i, of in enumerate(folds) for j, (train, _) in enumerate(of) if train]
    losses = np.zeros((len(STRENGTHS), len(targets_of)))
    for s, strength in enumerate(STRENGTHS):
        trained = [train for i, j in trials if (train := folds[i][j][0]) is not None]
        for (i, j), head in zip(
            trials, fit_heads(features, trained, strength, TOLERANCE), strict=True
        ):
            held_out = folds[i][j][1]
            losses[s, i] += _loss(head.probabilities(features[held_out.rows]), held_out)
    possible = {i for i, _ in trials}
    order = np.array(STRENGTHS)[::-1]
    best = order[losses[::-1].argmin(axis=0)]
    return [float(c) if i in possible else MIDDLE for i, c in enumerate(best)]


def _folds(head: HeadTargets) -> list[tuple[HeadTargets | None, HeadTargets]]:
    """The training part and the rest of each fold; None for a part of one class."""
    used = np.flatnonzero(head.weights > 0)
    fold = np.random.default_rng(0).permutation(len(used)) % FOLDS
    parts = []
    for number in range(FOLDS):
        train, rest = (_part(head, used[mask]) for mask in (fold != number, fold == number))
        enough = (train.weights @ train.targets > 0).sum() > 1 and len(rest.rows) > 0
        parts.append((train if enough else None, rest))
    return parts


def _part(head: HeadTargets, index: np.typing.NDArray[np.int64]) -> HeadTargets:
    return HeadTargets(head.rows[index], head.targets[index], head.weights[index])


def _loss(probs: Floats, held_out: HeadTargets) -> float:
    """Sum of weighted cross-entropies."""
    losses = -(held_out.targets * np.log(np.maximum(probs, SMALLEST))).sum(axis=1)
    return float(held_out.weights @ losses)
