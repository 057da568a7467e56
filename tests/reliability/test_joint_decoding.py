"""The logarithmic pool by hand, against scipy, and as joint decoding of texts' scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import softmax

from steelyard.errors import InputError
from steelyard.reliability.joint_decoding import JointDecoding, certainty_weights, log_pool
from steelyard.types import ABSTAIN
from vote_tables import votes

PROBS = np.array([[0.9, 0.1], [0.2, 0.8]])


def test_the_pool_by_hand() -> None:
    # sqrt(.9 * .2) = .4243, sqrt(.1 * .8) = .2828: .4243 / .7071 = .6
    found = JointDecoding().estimate(votes([[0, 1]], answers=2, probs=PROBS))
    np.testing.assert_allclose(found.posterior, [[0.6, 0.4]])
    np.testing.assert_allclose(found.score, [0.6])
    # weights 1 and 3 are .25 and .75: .9^.25 .2^.75 = .2913, .1^.25 .8^.75 = .4757
    found = JointDecoding(weights={"v0": 1, "v1": 3}).estimate(
        votes([[0, 1]], answers=2, probs=PROBS)
    )
    np.testing.assert_allclose(found.posterior, [[0.3798, 0.6202]], atol=5e-5)


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_best_text_is_that_of_the_largest_weighted_sum(seed: int, supervisors: int) -> None:
    rng = np.random.default_rng(seed)
    candidates = np.append(rng.integers(1, 6, 6), 5)
    scores = -rng.exponential(5, (7, supervisors, 5))  # ln P of whole texts
    possible = np.arange(5) < candidates[:, None]
    scores[~np.repeat(possible[:, None], supervisors, axis=1)] = -np.inf
    weights = rng.random(supervisors) + 0.1
    names = tuple(f"v{m}" for m in range(supervisors))
    found = JointDecoding(weights=dict(zip(names, weights.tolist(), strict=True))).estimate(
        votes(
            np.nan_to_num(scores, neginf=-1e9).argmax(axis=2),
            candidates=candidates,
            probs=softmax(scores, axis=2).reshape(-1, 5),
        )
    )
    joint = np.einsum("nmk,m->nk", np.where(possible[:, None], scores, -1e9), weights)
    np.testing.assert_array_equal(found.posterior.argmax(axis=1), joint.argmax(axis=1))
    np.testing.assert_allclose(
        found.posterior, softmax(joint / weights.sum(), axis=1), rtol=1e-6, atol=1e-12
    )


def test_one_supervisor_keeps_its_own_distribution() -> None:
    found = JointDecoding().estimate(votes([[0], [1]], answers=2, probs=PROBS))
    np.testing.assert_allclose(found.posterior, PROBS)
    np.testing.assert_allclose(found.score, [0.9, 0.8])


def test_a_silent_supervisor_leaves_its_weight_to_the_others() -> None:
    probs = np.array([[0.9, 0.1], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]])
    table = votes([[0, ABSTAIN], [0, 1], [ABSTAIN, ABSTAIN]], answers=2, probs=probs)
    found = JointDecoding(weights={"v0": 1, "v1": 9}).estimate(table)
    np.testing.assert_allclose(found.posterior[0], [0.9, 0.1])
    np.testing.assert_allclose(found.posterior[2], [0.5, 0.5])
    assert found.score[2] == 0


def test_a_supervisor_of_weight_zero_is_not_heard() -> None:
    table = votes([[0, 1], [ABSTAIN, 1]], answers=2, probs=np.tile(PROBS, (2, 1)))
    found = JointDecoding(weights={"v0": 1, "v1": 0}).estimate(table)
    np.testing.assert_allclose(found.posterior, [[0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(found.score, [0.9, 0])


def test_votes_without_probabilities_give_their_weighted_shares() -> None:
    found = JointDecoding(weights={"v0": 1, "v1": 1, "v2": 2}).estimate(
        votes([[0, 0, 1], [2, 2, 2]], answers=3)
    )
    np.testing.assert_allclose(found.posterior, [[0.5, 0.5, 0], [0, 0, 1]])


def test_a_probability_of_zero_is_a_veto_and_no_nan() -> None:
    probs = np.array([[1.0, 0.0], [0.4, 0.6]])
    found = JointDecoding().estimate(votes([[0, 1]], answers=2, probs=probs))
    np.testing.assert_allclose(found.posterior, [[1, 0]], atol=1e-100)


@given(st.integers(0, 10_000), st.floats(-900, 900))
def test_a_constant_on_a_supervisors_scores_changes_nothing(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    logs, example = rng.normal(size=(6, 4)), np.array([0, 0, 0, 1, 1, 2])
    weights, possible = rng.random(6), np.ones((3, 4), dtype=bool)
    moved = logs + shift * rng.random((6, 1))
    np.testing.assert_allclose(
        log_pool(moved, example, weights, possible),
        log_pool(logs, example, weights, possible),
        rtol=1e-6,
    )


def test_surer_beams_weigh_more_by_hand() -> None:
    # 1 / sqrt(.25) = 2 and 1 / sqrt(1) = 1: e^2 / (e^2 + e) = .7311; alone: 1
    found = certainty_weights(np.array([0.25, 1.0, 0.3]), np.array([0, 0, 2]), 3)
    np.testing.assert_allclose(found, [0.7311, 0.2689, 1], atol=5e-5)
    assert np.isfinite(certainty_weights(np.zeros(2), np.array([0, 0]), 1)).all()


def test_weights_must_be_the_voters() -> None:
    table = votes([[0, 1]], answers=2, probs=PROBS)
    with pytest.raises(InputError, match="'v1' is a voter without a weight"):
        JointDecoding(weights={"v0": 1}).estimate(table)
    with pytest.raises(InputError, match="'gpt' is no voter"):
        JointDecoding(weights={"v0": 1, "v1": 1, "gpt": 1}).estimate(table)
    with pytest.raises(InputError, match="not all 0"):
        JointDecoding(weights={"v0": 0, "v1": 0}).estimate(table)
    with pytest.raises(InputError, match=">= 0"):
        JointDecoding(weights={"v0": 2, "v1": -1}).estimate(table)
    with pytest.raises(ValidationError):
        JointDecoding(weights={"v0": float("nan")})
    with pytest.raises(ValidationError):
        JointDecoding(weights={})


def test_nobody_was_asked() -> None:
    found = JointDecoding().estimate(votes(np.zeros((2, 0), dtype=np.int64), answers=3))
    np.testing.assert_allclose(found.posterior, np.full((2, 3), 1 / 3))
    assert found.score.tolist() == [0, 0]


def test_surer_voters_weigh_more_where_they_are_surer() -> None:
    """H = (1, 4): weights exp(1), exp(1/2), that is .6225 and .3775 of one vote against another."""
    table = votes([[0, 1]], answers=2, entropy=np.array([1.0, 4.0]))
    found = JointDecoding(weights="certainty").estimate(table)
    assert found.posterior[0] == pytest.approx([0.6225, 0.3775], abs=1e-4)
    with pytest.raises(InputError, match="needs voters that answer with lists"):
        JointDecoding(weights="certainty").estimate(votes([[0, 1]], answers=2))
