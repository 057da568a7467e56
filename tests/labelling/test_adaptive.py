"""Which questions are asked next, by hand."""

import numpy as np
import pytest

from steelyard.labelling.rounds import ask_next

POSTERIOR = np.array(
    [[0.9, 0.1], [0.5, 0.5], [0.9995, 0.0005], [0.3, 0.7], [0.5, 0.5], [0.6, 0.4], [0.5, 0.5]]
)
ASKED = np.array([2, 4, 2, 2, 2, 5, 2])


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, [4]),  # 0.5, asked twice; before row 6, which is later, and row 1, asked four times
        (4, [4, 6, 1, 3]),
        (99, [4, 6, 1, 3, 0, 2]),  # row 5 was asked five times
    ],
)
def test_the_most_doubtful_come_first(count: int, expected: list[int]) -> None:
    assert ask_next(POSTERIOR, ASKED, 5, count).tolist() == expected


def test_each_question_may_have_a_number_of_its_own() -> None:
    most = np.array([3, 4, 9, 9, 2, 6, 2])
    assert ask_next(POSTERIOR, ASKED, most, 99).tolist() == [5, 3, 0, 2]


def test_certain_questions_are_asked_equally_often() -> None:
    sure = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert ask_next(sure, np.array([3, 2, 2]), 5, 9).tolist() == [1, 2, 0]
    assert ask_next(sure, np.array([5, 5, 5]), 5, 9).tolist() == []
