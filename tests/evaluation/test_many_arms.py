"""Holm by hand and against all subsets; simultaneous intervals against exact quantiles."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, studentized_range, t

from steelyard.errors import InputError
from steelyard.evaluation import Scores, paired_difference
from steelyard.evaluation.many_arms import holm, largest_t, simultaneous_differences


def test_holm_by_hand() -> None:
    # .005 * 4, .01 * 3, .03 * 2, .04 * 1 raised to .06: the example of Holm's procedure
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([]) == ()
    with pytest.raises(InputError, match="in \\[0, 1\\]"):
        holm([0.1, 1.2])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    """A second definition: the largest Bonferroni p over all sets that hold the hypothesis."""
    every = range(len(p_values))
    subsets = [s for size in range(1, 7) for s in itertools.combinations(every, size)]
    expected = [
        max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in subsets if q in s)
        for q in every
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_the_largest_of_independent_normals_is_sidaks() -> None:
    expected = norm.ppf((1 + 0.95 ** (1 / 5)) / 2)
    assert largest_t(np.eye(5), float("inf"), 200_000) == pytest.approx(expected, rel=0.005)


def test_one_t_has_its_own_quantile_and_equal_ones_too() -> None:
    assert largest_t(np.eye(1), 4, 200_000) == pytest.approx(t.ppf(0.975, 4), rel=0.01)
    assert largest_t(np.ones((6, 6)), 4, 200_000) == pytest.approx(t.ppf(0.975, 4), rel=0.01)


def test_all_pairs_of_three_means_have_tukeys_quantile() -> None:
    half = np.array([[1.0, 0.5, -0.5], [0.5, 1.0, 0.5], [-0.5, 0.5, 1.0]])  # a-b, a-c, b-c
    expected = studentized_range.ppf(0.95, 3, 10) / np.sqrt(2)
    assert largest_t(half, 10, 200_000) == pytest.approx(expected, rel=0.01)


def models(count: int, seeds: int) -> list[Scores]:
    rng = np.random.default_rng(5)
    values = 0.7 + rng.normal(0, 0.02, (count, seeds))
    noise = rng.normal(0, 0.02, (count, seeds, 200))
    return [Scores("accuracy", 500, v, v[:, None] + n) for v, n in zip(values, noise, strict=True)]


def test_simultaneous_intervals_are_wider_than_single_ones() -> None:
    naive, *arms = models(6, 5)
    together = simultaneous_differences(arms, naive)
    for arm, span in zip(arms, together, strict=True):
        alone = paired_difference(arm, naive)
        assert span.value == pytest.approx(alone.difference)
        assert span.low < alone.low < alone.high < span.high
    same = simultaneous_differences([naive], naive)[0]
    assert (same.low, same.high) == (0.0, 0.0)
