"""Risk control: bounds against scipy, procedures by hand, and the promise by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from steelyard.errors import ConfigError, InputError
from steelyard.selection import control_risk
from steelyard.selection.risk_controlled import _fallback, _grid, _p_values, upper_bound
from steelyard.types import ABSTAIN, Floats, Ints


@given(st.integers(1, 80), st.integers(0, 80), st.sampled_from([0.01, 0.05, 0.1, 0.3]))
def test_the_bound_is_clopper_and_pearsons(n: int, wrong: int, delta: float) -> None:
    wrong = min(wrong, n)
    both = binomtest(wrong, n).proportion_ci(confidence_level=1 - 2 * delta, method="exact")
    assert upper_bound(wrong, n, delta) == pytest.approx(both.high, abs=1e-9)


@given(st.integers(1, 60), st.integers(0, 60), st.floats(0.02, 0.9), st.floats(0.02, 0.5))
def test_rejecting_is_having_a_bound_below_alpha(
    n: int, wrong: int, alpha: float, level: float
) -> None:
    p = _p_values(np.array([min(wrong, n)]), np.array([n]), alpha)[0]
    bound = upper_bound(min(wrong, n), n, level)
    if abs(p - level) > 1e-9:
        assert (p <= level) == (bound <= alpha)


def test_no_wrong_label_among_22_shows_ten_percent() -> None:
    # (1 - .1)^22 = .0985 <= .1, and (1 - .1)^21 = .1094 is not; bound 1 - .1^(1/22) = .0994
    right = np.concatenate([np.ones(22, dtype=int), np.full(28, ABSTAIN)])
    found = control_risk(np.ones(50), right, 0.1, 0.1)
    assert found.threshold == 1
    assert found.kept.all()
    assert (found.trusted, found.trusted_kept, found.wrong_kept) == (22, 22, 0)
    assert found.bound == pytest.approx(1 - 0.1 ** (1 / 22))
    right[0] = ABSTAIN
    refused = control_risk(np.ones(50), right, 0.1, 0.1)
    assert (refused.threshold, refused.bound) == (None, None)
    assert not refused.kept.any()
    assert refused.reason == (
        "No set of labels has an error of at most 0.1 with confidence 0.9: even if none of them "
        "were wrong, 21 labels of known truth could not show it; at least 22 are needed."
    )


def test_the_best_threshold_is_named_where_there_is_no_set() -> None:
    right = np.array([1, 0] * 50)
    reason = control_risk(np.ones(100), right, 0.1, 0.1).reason
    # upper bound of 50 in 100 at 90 %: .569
    assert reason.endswith(
        "the best threshold has 50 wrong among 100 labels of known truth, which leaves an error "
        "of 0.569 possible."
    )


def test_a_level_is_inherited_by_the_next_threshold() -> None:
    p, own = np.array([0.02, 0.08, 0.2, 0.05, 0.06]), np.array([0.05, 0.05, 0, 0.05, 0])
    passed, level = _fallback(p, own)
    # .05 passes and gives .05 + .05 to the second, it .1 to the third, which fails (.2 > .1); the
    # fourth has its own .05 and passes; the fifth inherits .05 and fails (.06 > .05)
    assert passed.tolist() == [True, True, False, True, False]
    np.testing.assert_allclose(level, [0.05, 0.1, 0.1, 0.05, 0.05])


def test_one_start_ends_at_the_first_failure_and_two_do_not() -> None:
    # 200 labels of known truth: 30 of score .9 with 8 wrong, 170 of score .5 with none
    score = np.repeat([0.9, 0.5], [30, 170])
    right = np.concatenate([np.repeat([0, 1], [8, 22]), np.ones(170, dtype=int)])
    assert control_risk(score, right, 0.1, starts=1).threshold is None
    found = control_risk(score, right, 0.1, starts=2)
    assert found.threshold == 0.5
    assert found.wrong_kept == 8


def test_equal_scores_are_one_threshold() -> None:
    score = np.array([0.9, 0.9, 0.7, 0.7, 0.7, 0.2])
    np.testing.assert_array_equal(_grid(score, 20), [0.9, 0.7, 0.2])
    # three steps of a third of the labels: 2, 4 and 6 of them; the loosest score within each
    np.testing.assert_array_equal(_grid(score, 3), [0.9, 0.2])
    assert len(_grid(np.random.default_rng(0).random(1000), 20)) == 20


def test_the_order_of_the_labels_is_irrelevant() -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(0, 9, 500) / 8
    right = np.where(rng.random(500) < 0.4, rng.random(500) < 0.5 + score / 2, ABSTAIN)
    order = rng.permutation(500)
    first = control_risk(score, right.astype(int), 0.2)
    second = control_risk(score[order], right.astype(int)[order], 0.2)
    assert first.threshold is not None
    assert first.threshold == second.threshold
    np.testing.assert_array_equal(first.kept[order], second.kept)


def pool(kind: str, size: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Scores and which labels are right; many errors lie just above alpha = .2."""
    score = rng.random(size)
    if kind == "ties":
        score = rng.integers(1, 5, size) / 4
    chance = {
        "flat": np.full(size, 0.79),
        "ties": 0.6 + 0.25 * score,
        "misleading": 0.9 - 0.2 * score,
        "useful": 0.5 + 0.5 * score,
    }[kind]
    return score, (rng.random(size) < chance).astype(np.int64)


@pytest.mark.parametrize("kind", ["flat", "ties", "misleading", "useful"])
@pytest.mark.parametrize("gold", [15, 60, 300])
@pytest.mark.parametrize("starts", [1, 2, 20])
def test_the_promise_is_kept(kind: str, gold: int, starts: int) -> None:
    rng = np.random.default_rng(gold + starts)
    score, right = pool(kind, 2000, rng)
    alpha, delta, draws = 0.2, 0.1, 500
    broken = 0
    for _ in range(draws):
        known = np.full(2000, ABSTAIN)
        drawn = rng.choice(2000, gold, replace=False)
        known[drawn] = right[drawn]
        kept = control_risk(score, known, alpha, delta, starts=starts).kept
        broken += bool(kept.any()) and float((right[kept] == 0).mean()) > alpha
    # three standard deviations of 500 draws: 3 sqrt(.1 * .9 / 500) = .040
    assert broken / draws <= delta + 0.040


def test_a_useful_score_keeps_a_useful_share() -> None:
    rng = np.random.default_rng(0)
    score, right = pool("useful", 2000, rng)
    shares = []
    for _ in range(100):
        known = np.full(2000, ABSTAIN)
        drawn = rng.choice(2000, 300, replace=False)
        known[drawn] = right[drawn]
        shares.append(control_risk(score, known, 0.2).kept.mean())
    # errors are (1 - s) / 2, so the best .8 of the labels have an error of .2
    assert 0.4 < np.mean(shares) < 0.8


def test_what_does_not_fit_is_refused() -> None:
    score, right = np.ones(3), np.array([1, 0, -1])
    with pytest.raises(InputError, match=r"got \(2,\) and \(3,\)"):
        control_risk(score[:2], right, 0.1)
    with pytest.raises(InputError, match=r"-1 \(unknown\), got 3 in row 0"):
        control_risk(score, right + 2, 0.1)
    with pytest.raises(InputError, match="finite number, got nan in row 1"):
        control_risk(np.array([1, np.nan, 1]), right, 0.1)
    with pytest.raises(InputError, match="labels of known truth, a random draw from all; got none"):
        control_risk(score, np.full(3, ABSTAIN), 0.1)
    with pytest.raises(ConfigError, match=r"`alpha` must be in \(0, 1\), got 1"):
        control_risk(score, right, 1)
    with pytest.raises(ConfigError, match=r"`delta` must be in \(0, 1\), got 0"):
        control_risk(score, right, 0.1, 0)
    with pytest.raises(ConfigError, match="`starts` must be at least 1, got 0"):
        control_risk(score, right, 0.1, starts=0)
