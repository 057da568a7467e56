"""The judgement of a model's own doubt, by hand."""

import numpy as np
import pytest

from steelyard.evaluation import ErrorDetection, detect_errors

PROBS = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.45, 0.55]])


def test_by_hand() -> None:
    # Answers 0, 0, 1, 1; wrong are the second and the third. 1 - max P: .1, .4, .3, .45.
    # Pairs (wrong, right): .4 > .1, .4 < .45, .3 > .1, .3 < .45: two of four.
    result = detect_errors(PROBS, {}, np.array([0, 1, 0, 1]))
    assert result["least_confidence"].mean == pytest.approx(1.25 / 4)
    assert result["least_confidence"].auroc == pytest.approx(0.5)
    # A measure that doubts the wrong ones most; of the four pairs one is a tie: 3.5 of 4.
    vacuity = np.array([0.2, 0.5, 0.9, 0.5])
    result = detect_errors(PROBS, {"vacuity": vacuity}, np.array([0, 1, 0, 1]))
    assert result["vacuity"].mean == pytest.approx(2.1 / 4)
    assert result["vacuity"].auroc == pytest.approx(3.5 / 4)


@pytest.mark.parametrize("truth", [[0, 0, 1, 1], [1, 1, 0, 0]])
def test_where_all_are_right_or_all_wrong_there_is_nothing_to_rank(truth: list[int]) -> None:
    result = detect_errors(PROBS, {}, np.array(truth))["least_confidence"]
    assert result == ErrorDetection(pytest.approx(1.25 / 4), None)  # type: ignore[arg-type]
