"""Which questions to ask again, when there are fewer queries than one would like."""

import numpy as np

from steelyard.types import Floats, Ints


def ask_next(posterior: Floats, asked: Ints, most: int | Ints, count: int) -> Ints:
    """Rows of the questions to ask once more: those whose best answer is least probable.

    Of equally doubtful ones those that were asked less often come first, then lower rows. Questions
    that were asked `most` times are left out; an empty array means that nothing is left to ask. No
    question is ever settled before that: estimators are too sure of themselves on few votes.

    Args:
        posterior: (N, K), P(answer | votes so far), rows sum to 1.
        asked: (N,), how often each was asked.
        most: how often each can be asked, one number or (N,).
        count: how many to ask at most.

    Source: Lewis and Gale 1994, "A Sequential Algorithm for Training Text Classifiers", section 3
        (least certain first; there of examples to label, here of labels to ask for again).
        Compared with the expected gain of one more vote in benchmarks/adaptive.py.
    """
    best = posterior.max(axis=1)
    free = np.flatnonzero(asked < most)
    order = np.lexsort((free, asked[free], best[free]))
    rows: Ints = free[order][: max(count, 0)]
    return rows
