"""Seeds in which training collapsed: the student learned next to nothing, and others did not."""

from collections.abc import Sequence

import numpy as np

from steelyard.evaluation.interval import Scores
from steelyard.types import Floats

ONE_ANSWER = 0.99  # share of the test items that get the same answer
_ERRORS = 3.0  # a lead over chance is clear from this many standard errors on


def collapsed_seeds(scores: Scores, chance: float, answers: Sequence[Floats] = ()) -> list[int]:
    """Positions of the seeds in which a student collapsed while most others did not.

    Its lead over chance is less than half of the median lead of the other seeds, and that median
    and the distance to it are both clear of the error over test items (3 standard errors); or it
    gives 99 % of the items one answer, and most other seeds do not. Normal seeds are hardly ever
    below half of the others' lead, whereas rules by standard deviations over few seeds are.

    Args:
        scores: a student's.
        chance: score of one constant answer, or of none.
        answers: class probabilities (N, K) of each seed; empty for open answers.
    """
    sign = -1.0 if scores.lower_is_better else 1.0
    lead = sign * (scores.seeds - chance)
    errors = np.nanstd(scores.resampled, axis=1)
    constant = np.array([_one_answer(probs) for probs in answers] or [False] * len(lead))
    collapsed = []
    for seed in range(len(lead)):
        others = np.arange(len(lead)) != seed
        if not others.any():
            continue
        usual, least = float(np.median(lead[others])), _ERRORS * float(errors[seed])
        far = usual > least and lead[seed] < usual / 2 and usual - lead[seed] > least
        if far or (constant[seed] and constant[others].mean() < 0.5):
            collapsed.append(seed)
    return collapsed


def _one_answer(probs: Floats) -> bool:
    return bool(np.bincount(probs.argmax(axis=1)).max() >= ONE_ANSWER * len(probs))
