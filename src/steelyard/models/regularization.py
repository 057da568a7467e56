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
    trials = [
        (i, train, rest)
        for i, head in enumerate(targets_of)
        for train, rest in _folds(head)
        if train is not None
    ]
    losses = np.zeros((len(targets_of), len(STRENGTHS)))
    sets = [train for _, train, _ in trials for _ in STRENGTHS]  # those on the same rows together
    strengths = list(STRENGTHS) * len(trials)
    heads = iter(fit_heads(features, sets, strengths, TOLERANCE))
    for i, _, rest in trials:
        for s in range(len(STRENGTHS)):
            losses[i, s] += _loss(next(heads).probabilities(features[rest.rows]), rest)
    possible = {i for i, _, _ in trials}
    order = np.array(STRENGTHS)[::-1]
    best = order[losses[:, ::-1].argmin(axis=1)]
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
