"""Controls, which keep a selection's size and drop its information: random, or shuffled weights."""

import numpy as np

from steelyard.selection.label_and_ties import select
from steelyard.types import Selection

VERSION = 3  # the arm's own targets, and as many of each class
"""Raised when controls change without a change of settings."""


def random_keep(
    selection: Selection, everything: Selection, seed: int, *, per_class: bool = False
) -> Selection:
    """As many examples as a filter keeps, drawn at random from all, with the same labels.

    Args:
        selection: the filter's.
        everything: the same targets, soft or hard, with nothing filtered out.
        seed: random seed.
        per_class: keep as many of each class as the filter does.
    """
    labels = everything.targets.argmax(axis=1) if per_class else np.zeros(len(everything.ids))
    kept = selection.weights > 0
    order = np.random.default_rng(seed).permutation(len(labels))  # whatever the classes are called
    order = order[everything.weights[order] > 0]
    drawn = np.concatenate(
        [
            order[labels[order] == label][: int((kept & (labels == label)).sum())]
            for label in np.unique(labels[kept])
        ]
    )
    not_drawn = np.ones(len(selection.ids), dtype=bool)
    not_drawn[drawn] = False
    dropped = {"dropped before": everything.weights == 0, "not drawn": not_drawn}
    return select(selection.ids, everything.targets, dropped)


def shuffled_weights(selection: Selection, seed: int) -> Selection:
    """The same targets with the weights permuted among the kept examples."""
    kept = np.flatnonzero(selection.weights > 0)
    weights = selection.weights.copy()
    weights[kept] = np.random.default_rng(seed).permutation(weights[kept])
    dropped = {"dropped before": selection.weights == 0}
    return select(selection.ids, selection.targets, dropped, weights)
