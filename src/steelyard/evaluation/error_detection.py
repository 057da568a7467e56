"""Does a model know which of its answers are wrong?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.evaluation.metrics import auroc
from steelyard.types import Floats

LEAST_CONFIDENCE = "least_confidence"


@dataclass(frozen=True)
class ErrorDetection:
    """A measure of how unsure a model is, judged by truth."""

    mean: float  # over the answers, in the measure's unit
    auroc: float | None  # None if all answers are right or all wrong


def judge_doubts(
    probs: Floats, doubts: Mapping[str, Floats], truth: npt.NDArray[np.int64]
) -> dict[str, ErrorDetection]:
    """How well measures of doubt find the wrong answers among a model's most probable ones.

    least_confidence   1 - max_k p_k, in [0, 1 - 1/K], which every model has
    auroc              probability that a wrong answer is doubted more than a right one, a tie
                       counts one half; 0.5 is a coin

    Args:
        probs: (N, K), rows sum to 1.
        doubts: further measures of the same answers, (N,) each; higher is less sure.
        truth: (N,), answer numbers.

    Source: Hendrycks and Gimpel 2017, arXiv:1610.02136, section 2 (maximum probability and AUROC as
        the baseline for finding errors).
    """
    wrong = (probs.argmax(axis=1) != truth).astype(np.int64)
    every = {LEAST_CONFIDENCE: 1 - probs.max(axis=1), **doubts}
    return {name: _judge(values, wrong) for name, values in every.items()}


def _judge(doubt: Floats, wrong: npt.NDArray[np.int64]) -> ErrorDetection:
    value = float(auroc(wrong, np.column_stack([-doubt, doubt]))[0])
    return ErrorDetection(float(doubt.mean()), None if np.isnan(value) else value)
