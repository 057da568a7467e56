"""Open answers graded by hand."""

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.evaluation import draw_resamples, measure
from steelyard.evaluation.open_answers import (
    NOBODY,
    candidate_numbers,
    grade_texts,
    grade_votes,
    read_truth,
)
from steelyard.types import ABSTAIN, Votes
from vote_tables import votes

TEXTS = (("72", "70", "1200"), ("5",), ("",), ("1", "2"))


def table(rows: list[list[int]]) -> Votes:
    counts = np.array([len(texts) for texts in TEXTS])
    return votes(rows, candidates=counts, candidate_texts=TEXTS)


def test_equal_numbers_are_equal_answers() -> None:
    truth = read_truth(("a", "b", "c", "d"), ("$1,200.00", "6", "5", "#### 2"), "number")
    assert truth == ("1200", "6", "5", "2")
    rows = [[0, 0, 1], [0, 0, 0], [ABSTAIN] * 3, [1, 1, 0]]
    numbers = candidate_numbers(table(rows), truth, "number")
    # 1200 is candidate 2 of "a"; nobody said 6 or 5; 2 is candidate 1 of "d".
    assert numbers.tolist() == [2, NOBODY, NOBODY, 1]


def test_votes_are_right_where_the_winner_is() -> None:
    rows = [[2, 2, 1], [0, 0, ABSTAIN], [ABSTAIN] * 3, [0, 0, 1]]
    cast = table(rows)
    graded = grade_votes(cast, np.array([2, NOBODY, NOBODY, 0]))
    # "a": 1200 wins two to one; "b": 5 is not what is right; "c": silence; "d": 1 wins.
    assert graded.tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
    score = measure("accuracy", np.zeros(4, dtype=np.int64), [[graded]], draw_resamples(4))
    assert score.value == 0.5


def test_a_tie_favours_no_candidate() -> None:
    size = 400
    cast = votes([[0, 1]] * size, candidates=np.full(size, 2), candidate_texts=(("1", "2"),) * size)
    right = grade_votes(cast, np.zeros(size, dtype=np.int64))[:, 0].mean()
    assert abs(right - 0.5) < 0.1  # 4 standard errors of a fair draw


def test_a_silent_voter_is_wrong_even_where_nobody_gave_the_truth() -> None:
    cast = table([[ABSTAIN]] * 4)
    graded = grade_votes(cast, np.array([0, 0, NOBODY, 0]))
    assert graded[:, 0].tolist() == [0, 0, 0, 0]


def test_texts_are_compared_in_the_reader_s_spelling() -> None:
    graded = grade_texts(["The answer is 1,200.", None, "12", "no idea"], ["1200"] * 4, "number")
    assert graded[:, 0].tolist() == [1, 0, 0, 0]
    graded = grade_texts(["South africa.", "Africa"], ["south africa"] * 2, "text")
    assert graded[:, 0].tolist() == [1, 0]


def test_a_truth_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InputError, match=r"true answer of 'b', 'many', cannot be read as number"):
        read_truth(("a", "b"), ("1", "many"), "number")
