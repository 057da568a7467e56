"""Error detection: whether a model is less certain where it is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.evaluation.metrics import auroc_of_score
from steelyard.types import Floats
from steelyard.types.arrays import expected_hits

LEAST_CONFIDENCE = "least_confidence"


@dataclass(frozen=True)
class ErrorDetection:
    """How well a measure of uncertainty predicts which answers are wrong."""

    mean: float  # of the uncertainty over the answers, in the unit of the measure
    auroc: float | None  # None if all answers are right or all wrong


def detect_errors(
    probs: Floats, uncertainties: Mapping[str, Floats], truth: npt.NDArray[np.int64]
) -> dict[str, ErrorDetection]:
    """How well measures of uncertainty predict which of a model's most probable answers are wrong.

    least_confidence   1 - max_k p_k, in [0, 1 - 1/K], computed for every model
    auroc              probability that a wrong answer is more uncertain than a right one, a tie
                       counts one half; 0.5 is chance. An answer that is one of k tied ones is
                       1/k of a right answer and the rest of a wrong one

    Args:
        probs: (N, K), rows sum to 1.
        uncertainties: other measures of the same answers by name, (N,) each; higher is less
            certain.
        truth: (N,), class numbers.

    Returns:
        One entry for least_confidence and one for each of `uncertainties`.

    Source: Hendrycks and Gimpel 2017, arXiv:1610.02136, section 2 (maximum probability and AUROC as
        the baseline for finding errors).
    """
    wrong = 1 - expected_hits(truth, probs)
    measures = {LEAST_CONFIDENCE: 1 - probs.max(axis=1), **uncertainties}
    return {
        name: ErrorDetection(float(values.mean()), auroc_of_score(values, wrong))
        for name, values in measures.items()
    }
