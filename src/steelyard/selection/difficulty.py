"""Levels of difficulty: in which part of an epoch a student sees an example."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.types import Floats, Ints

Order: TypeAlias = Literal["random", "easy_to_hard", "hard_to_easy"]


def difficulty_levels(
    score: Floats, kept: npt.NDArray[np.bool_], order: Order, levels: int, seed: int
) -> Ints:
    """The level of each example, (N,), in [0, levels): lower ones come first; 0 if it is not kept.

    Kept examples are ranked by their score, the highest first for `easy_to_hard` and last for
    `hard_to_easy`, and divided into levels of equal size, up to one example. Equal scores are
    ranked at random.

    >>> difficulty_levels(np.array([.9, .2, .5, .7, .1]), np.array([1, 1, 1, 1, 0]) > 0,
    ...     "easy_to_hard", 2, seed=0).tolist()
    [0, 1, 1, 0, 0]

    Args:
        score: (N,), how reliable each label is.
        kept: (N,), examples that are trained on.
        order: which come first.
        levels: at least 1.
        seed: of the draw among equal scores.

    Source: Bengio et al. 2009, "Curriculum Learning" (the abstract alone was read: examples in a
        meaningful order; the order by reliability, and levels that add up to an epoch so that all
        orders show every example equally often, are ours).
    """
    rows = np.flatnonzero(kept)
    draw = np.random.default_rng(seed).permutation(len(rows))
    ranked = rows[np.lexsort((draw, -score[rows]))]
    if order == "hard_to_easy":
        ranked = ranked[::-1]
    level = np.zeros(len(score), dtype=np.int64)
    level[ranked] = np.arange(len(rows)) * levels // max(len(rows), 1)
    return level
