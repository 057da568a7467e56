"""Gains to expect of arms: the normal posterior of past studies and a try on known rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel

from steelyard.errors import InputError
from steelyard.evaluation.expected_gains import (
    UNKNOWN,
    ExpectedGains,
    PastGains,
    TriedGains,
    expected_gains,
)

ARMS = ("refine", "filter")
NONE = np.zeros((2, 2))
ONE = np.zeros((1, 1))


def past(seed: int = 0, sets: int = 8) -> PastGains:
    rng = np.random.default_rng(seed)
    gains = rng.multivariate_normal([0.1, 0.02], [[0.004, 0.001], [0.001, 0.002]], sets)
    return PastGains(tuple(f"s{i}" for i in range(sets)), ARMS, gains, NONE)


def test_one_arm_by_hand() -> None:
    # Past gains .0, .1, .2: mean .1, variance .01, times 4/3 for the error of the mean = .01333.
    # A try says .3 with variance .01333: the posterior is halfway, .2, with half the variance.
    before = PastGains(("a", "b", "c"), ("refine",), np.array([[0.0], [0.1], [0.2]]), ONE)
    tried = TriedGains(np.array([0.3]), np.array([[0.04 / 3]]))
    found = expected_gains(["refine"], before, tried)
    assert found.mean[0] == pytest.approx(0.2, abs=1e-6)
    assert found.covariance[0, 0] == pytest.approx(0.02 / 3, rel=1e-5)
    half = 1.959964 * (0.02 / 3) ** 0.5
    gain = found.interval("refine")
    assert (gain.value, gain.high - gain.value) == pytest.approx((0.2, half), rel=1e-5)


def test_draws_of_the_labelled_rows_vary_too() -> None:
    # As before with half of the try's variance over resamples and half over draws of the rows.
    gains, part = np.array([[0.0], [0.1], [0.2]]), np.array([[0.02 / 3]])
    before = PastGains(("a", "b", "c"), ("refine",), gains, part)
    found = expected_gains(["refine"], before, TriedGains(np.array([0.3]), part))
    assert found.mean[0] == pytest.approx(0.2, abs=1e-6)
    both = expected_gains(
        ["refine", "of_mine"], before, TriedGains(np.full(2, 0.3), 0.01 * np.eye(2))
    )
    # The other arm has no past: .3 * .0025 / (.0025 + .01) = .06
    assert both.mean[1] == pytest.approx(0.06)


def test_without_an_error_in_common_it_is_a_gaussian_process() -> None:
    # With one arm a regression on a constant kernel is a second implementation.
    before = past().gains[:, :1]
    variance = ledoit_wolf(before)[0][0, 0] * 8 / 7 * 9 / 8
    model = GaussianProcessRegressor(ConstantKernel(variance), alpha=0.003, optimizer=None)
    model.fit([[0.0]], [0.2 - before.mean()])
    mean, sd = model.predict([[0.0]], return_std=True)
    one = PastGains(past().sets, ("refine",), before, ONE)
    found = expected_gains(["refine"], one, TriedGains(np.array([0.2]), np.array([[0.003]])))
    assert found.mean[0] == pytest.approx(mean[0] + before.mean(), rel=1e-4)
    assert found.covariance[0, 0] == pytest.approx(sd[0] ** 2, rel=1e-4)


@given(st.integers(0, 1000))
def test_a_try_that_says_nothing_leaves_the_past_and_a_sure_one_replaces_it(seed: int) -> None:
    before = past(seed)
    gains = np.random.default_rng(seed).normal(0, 0.1, 2)
    vague = expected_gains(ARMS, before, TriedGains(gains, 1e6 * np.eye(2)))
    alone = expected_gains(ARMS, before, None)
    np.testing.assert_allclose(vague.mean, alone.mean, atol=1e-6)
    np.testing.assert_allclose(vague.covariance, alone.covariance, atol=1e-6)
    sure = expected_gains(ARMS, before, TriedGains(gains, 1e-12 * np.eye(2)))
    np.testing.assert_allclose(sure.mean, gains, atol=1e-6)
    order = expected_gains(ARMS[::-1], before, TriedGains(gains[::-1], 0.01 * np.eye(2)))
    same = expected_gains(ARMS, before, TriedGains(gains, 0.01 * np.eye(2)))
    np.testing.assert_allclose(order.mean[::-1], same.mean, atol=1e-12)


def test_an_arm_without_past_is_expected_to_gain_nothing() -> None:
    found = expected_gains(("refine", "of_mine"), past(), None)
    assert found.mean[1] == 0
    assert found.covariance[1, 1] == pytest.approx(UNKNOWN**2)


def test_a_score_of_another_range_has_other_gains() -> None:
    wide = expected_gains(("of_mine",), None, TriedGains(np.array([0.5]), np.array([[0.25]])), 10.0)
    # standard deviation .05 * 10 = .5 as that of the try: halfway
    assert wide.mean[0] == pytest.approx(0.25)


def test_arms_can_be_taken_apart() -> None:
    part = past().of_arms(("filter",))
    np.testing.assert_array_equal(part.gains[:, 0], past().gains[:, 1])
    assert (part.arms, part.within.shape) == (("filter",), (1, 1))


def test_ranks_of_arms_and_of_the_majority() -> None:
    gains = ExpectedGains(ARMS, np.array([0.1, -0.1]), 1e-8 * np.eye(2))
    assert gains.ranks()[0] == [(1, 1), (3, 3), (2, 2)]
    np.testing.assert_allclose(gains.ranks()[1], [1, 0, 0])
    alike = ExpectedGains(ARMS, np.zeros(2), np.eye(2))
    # Gain 0 is the best of three if both draws are below it: a quarter of the time.
    np.testing.assert_allclose(alike.ranks()[1], [0.375, 0.375, 0.25], atol=0.03)


def test_nothing_known_is_said() -> None:
    with pytest.raises(InputError, match="Nothing is known of the arms"):
        expected_gains(ARMS, past(sets=2), None)
    assert past().without("s0").sets[0] == "s1"


def test_equal_gains_share_the_first_rank() -> None:
    """Two arms that gain nothing for certain are as good as the majority: 1/3 each."""
    ranges, best = ExpectedGains(("a", "b"), np.zeros(2), np.zeros((2, 2))).ranks()
    assert ranges == [(1, 1)] * 3
    np.testing.assert_allclose(best, 1 / 3)
