"""Weights that give rare classes their share of the training loss."""

from dataclasses import replace

import numpy as np

from steelyard.types import Floats, Selection

VERSION = 1
"""Raised when weights of classes change without a change of settings."""


def balanced(selection: Selection, strength: float = 1.0) -> Selection:
    """The same labels, with larger weights for the rarer classes.

    With n_k = sum_i w_i t_i(k), the total weight of class k, the loss of an example becomes

        w_i sum_k t_i(k) c_k CE(k),    c_k proportional to n_k^-strength,  sum_k n_k c_k = sum_k n_k

    so that the mean weight stays 1. Classes are counted among the weak labels, because the true
    shares are unknown; wrong labels of a rare class get larger weights too. Strength 1 is
    `class_weight="balanced"` of scikit-learn.

    Args:
        selection: of a classification task.
        strength: in [0, 1]; 1 gives every class that has a label the same total weight, 0 changes
            nothing.
    """
    total = selection.weights @ selection.targets
    has = total > 0
    scale = np.zeros_like(total)
    scale[has] = total[has] ** -strength
    scale *= total.sum() / (total @ scale)
    return rescaled(selection, selection.targets * scale)


def rescaled(selection: Selection, rows: Floats) -> Selection:
    """The selection whose loss of an example is w_i sum_k rows_ik CE(k).

    Args:
        selection: with weights w_i.
        rows: (N, K), >= 0: targets times the factor of their class; they need not sum to 1.
    """
    share = rows.sum(axis=1)
    kept = (selection.weights > 0) & (share > 0)
    targets, weights = selection.targets.copy(), selection.weights.copy()
    targets[kept] = rows[kept] / share[kept, None]
    weights[kept] *= share[kept]
    return replace(selection, targets=targets, weights=weights)
