"""Arrays that do not fit are refused, and the row at fault is named."""

from typing import Any

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.types import Reliability, Selection, Split, one_hot, rows_of


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("row", "text"),
    [([0.5, 0.4], "sum to 1"), ([1.5, -0.5], "sum to 1"), ([np.nan, 1.0], "sum to 1")],
)
def test_rows_that_are_no_distribution_are_refused(row: list[float], text: str) -> None:
    with pytest.raises(InputError, match=f"`posterior` of 'a'.*{text}"):
        Reliability(("a",), np.array([row]), np.array([0.5]))


def test_a_score_outside_its_range_is_named() -> None:
    with pytest.raises(InputError, match=r"score 1.2 of 'b' is not in \[0, 1\]"):
        Reliability(("a", "b"), np.full((2, 2), 0.5), np.array([0.5, 1.2]))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_that_cannot_be_are_named(weight: float) -> None:
    with pytest.raises(InputError, match=r"weight .* of 'b' is not a finite number >= 0"):
        Selection(("a", "b"), one_hot(ints(0, 1), 2), np.array([1.0, weight]), ("", ""))


def test_truth_must_fit_its_questions() -> None:
    with pytest.raises(InputError, match="one answer per question"):
        Split((), ints(1))


def test_rows_are_joined_by_id() -> None:
    assert rows_of(("a", "b", "c"), ("c", "a")).tolist() == [2, 0]
    with pytest.raises(InputError, match="1 of 2 ids are unknown, first 'x'"):
        rows_of(("a",), ("a", "x"))
