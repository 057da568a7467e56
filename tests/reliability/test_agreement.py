"""Agreement and confidence, by hand, and the contract of every estimator."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.reliability import (
    ESTIMATORS,
    Confidence,
    Majority,
    Margin,
    VoteEntropy,
    VoteShare,
)
from steelyard.types import ABSTAIN
from steelyard.types.arrays import row_entropy
from vote_tables import votes

ANY_VOTES = [kind for kind in ESTIMATORS if kind != "beam_entropy"]  # which needs lists

# Entropy of five votes in nats, such as 4-1: -(.8 ln .8 + .2 ln .2) = .1785 + .3219 = .5004.
ENTROPIES = [
    ([5], 0.0),
    ([4, 1], 0.5004),
    ([3, 2], 0.6730),
    ([3, 1, 1], 0.9503),
    ([2, 2, 1], 1.0549),
    ([2, 1, 1, 1], 1.3322),
    ([1, 1, 1, 1, 1], 1.6094),
]


@pytest.mark.parametrize(("counts", "nats"), ENTROPIES)
def test_entropies_of_five_votes(counts: list[int], nats: float) -> None:
    row = [answer for answer, count in enumerate(counts) for _ in range(count)]
    shares = votes([row], answers=5).shares()
    assert row_entropy(shares)[0] == pytest.approx(nats, abs=5.1e-5)
    score = VoteEntropy().estimate(votes([row], answers=5)).score[0]
    assert score == pytest.approx(1 - nats / log(5), abs=5e-5)


def test_vote_entropy_by_hand() -> None:
    table = votes([[2, 2, 2, 2, 2], [0, 0, 0, 1, 1], [0, 1, 2, 3, ABSTAIN]], answers=4)
    # 3/5 and 2/5: H = -(.6 ln .6 + .4 ln .4) = 0.6730 nats; 1 - 0.6730 / ln 4 = 0.5145
    middle = 1 + (0.6 * log(0.6) + 0.4 * log(0.4)) / log(4)
    np.testing.assert_allclose(VoteEntropy().estimate(table).score, [1, middle, 0], atol=1e-12)


def test_vote_share_by_hand() -> None:
    table = votes([[0, 0, 0, 1, 1]], answers=3)
    assert VoteShare().estimate(table).score[0] == pytest.approx(0.6)
    # e^(.6/.2) / (e^(.6/.2) + e^(.4/.2)) = 1 / (1 + e^-1) = .7311
    assert VoteShare(temperature=0.2).estimate(table).score[0] == pytest.approx(0.7311, abs=5e-5)


def test_confidence_and_margin_by_hand() -> None:
    table = votes([[0, 1]], answers=3, probs=np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1]]))
    # mean: .5, .4, .1
    assert Confidence().estimate(table).score[0] == pytest.approx(0.5)
    assert Margin().estimate(table).score[0] == pytest.approx(0.1)


@given(
    rows=st.lists(st.lists(st.integers(-1, 3), min_size=4, max_size=4), min_size=1, max_size=6),
    temperature=st.none() | st.floats(0.05, 5),
)
def test_majority_and_vote_share_are_one_estimator(
    rows: list[list[int]], temperature: float | None
) -> None:
    table = votes(rows, answers=4)
    majority = Majority(temperature=temperature).estimate(table)
    share = VoteShare(temperature=temperature).estimate(table)
    np.testing.assert_array_equal(majority.posterior, share.posterior)
    np.testing.assert_array_equal(majority.score, share.score)
    assert ESTIMATORS["majority"] is Majority
    assert ESTIMATORS["vote_share"] is VoteShare


def test_stored_results_of_vote_share_keep_their_name() -> None:
    """The settings in the recipes of version 0.1; those of `majority` are made again."""
    assert VoteShare().model_dump() == {"kind": "vote_share", "temperature": None}
    assert VoteShare.version == Majority.version == 1
    assert Majority().model_dump() == {"kind": "majority", "temperature": None}


def test_hard_votes_give_confidence_the_vote_share() -> None:
    table = votes([[0, 0, 1], [2, 2, 2]], answers=3)
    np.testing.assert_allclose(
        Confidence().estimate(table).score, VoteShare().estimate(table).score
    )


# r(a) = exp(p(a) / T) / sum over answers given, the paper's method 2: 4-1 at T = 0.2 is
# 1 / (1 + exp((.2 - .8) / .2)) = 1 / (1 + e^-3) = .9526.
WEIGHTS = [
    ([5], 0.2, [1]),
    ([4, 1], 0.2, [0.9526, 0.0474]),
    ([3, 2], 0.2, [0.7311, 0.2689]),
    ([3, 1, 1], 0.2, [0.7870, 0.1065, 0.1065]),
    ([2, 2, 1], 0.2, [0.4223, 0.4223, 0.1554]),
    ([2, 1, 1, 1], 0.2, [0.4754, 0.1749, 0.1749, 0.1749]),
    ([1, 1, 1, 1, 1], 0.2, [0.2] * 5),
    ([1, 1], 0.2, [0.5, 0.5]),
    ([5], 1.0, [1]),
    ([4, 1], 1.0, [0.6457, 0.3543]),
    ([3, 2], 1.0, [0.5498, 0.4502]),
    ([3, 1, 1], 1.0, [0.4272, 0.2864, 0.2864]),
    ([2, 2, 1], 1.0, [0.3548, 0.3548, 0.2905]),
    ([2, 1, 1, 1], 1.0, [0.2893, 0.2369, 0.2369, 0.2369]),
    ([1, 1, 1, 1, 1], 1.0, [0.2] * 5),
    ([1, 1], 1.0, [0.5, 0.5]),
]


@pytest.mark.parametrize(("counts", "temperature", "weights"), WEIGHTS)
def test_the_papers_weights(counts: list[int], temperature: float, weights: list[float]) -> None:
    row = [answer for answer, count in enumerate(counts) for _ in range(count)]
    sharp = votes([row], answers=6).sharpened(temperature)[0]
    np.testing.assert_allclose(sharp, weights + [0] * (6 - len(weights)), atol=5.1e-5)
    score = VoteShare(temperature=temperature).estimate(votes([row], answers=6)).score[0]
    assert score == pytest.approx(max(weights), abs=5.1e-5)


def test_unreadable_answers_as_one_more_answer_are_the_papers() -> None:
    table = votes([[ABSTAIN] * 5, [0, 0, 0, ABSTAIN, ABSTAIN], [1] * 5], answers=4)
    reliability = VoteEntropy(unreadable="answer").estimate(table)
    # 3-2 with the unreadable ones as an answer: .6730 nats of ln 5 = 1.6094; unanimity is certain
    # even where nothing could be read, and the posterior still knows no answer there
    np.testing.assert_allclose(reliability.score, [1, 1 - 0.6730 / 1.6094, 1], atol=5e-5)
    np.testing.assert_allclose(reliability.posterior[:2], [[0.25] * 4, [1, 0, 0, 0]])
    np.testing.assert_allclose(VoteEntropy().estimate(table).score, [0, 1, 1])


@pytest.mark.parametrize("kind", ANY_VOTES)
def test_unreadable_answers_are_not_agreement(kind: str) -> None:
    reliability = ESTIMATORS[kind]().estimate(votes([[ABSTAIN] * 5], answers=4))
    np.testing.assert_array_equal(reliability.posterior, [[0.25] * 4])
    assert reliability.score[0] == 0.0


SURE_OF_UNANIMITY = (
    *("majority", "vote_share", "vote_entropy", "confidence", "margin", "predictive_entropy"),
    *("open_agreement", "self_consistency", "joint_decoding"),
)
"""Those that look at one example's agreement alone; the others may doubt the voters."""


@pytest.mark.parametrize("kind", ANY_VOTES)
@given(
    rows=st.integers(1, 5).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(-1, 3), min_size=width, max_size=width), min_size=1, max_size=8
        )
    )
)
def test_the_contract_of_every_estimator(kind: str, rows: list[list[int]]) -> None:
    table = votes(rows, answers=4)
    first, again = (ESTIMATORS[kind]().estimate(table) for _ in range(2))
    assert first.ids == table.ids
    np.testing.assert_allclose(first.posterior.sum(axis=1), 1)
    assert ((first.score >= 0) & (first.score <= 1)).all()
    assert first.score.tobytes() == again.score.tobytes()
    if kind in SURE_OF_UNANIMITY:
        unanimous = (table.counts > 0).sum(axis=1) == 1
        np.testing.assert_allclose(first.score[unanimous], 1)


@pytest.mark.parametrize("kind", ANY_VOTES)
@given(seed=st.integers(0, 999))
def test_other_names_for_the_classes_permute_the_result(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, order = rng.integers(0, 4, (6, 5)), rng.permutation(4)
    plain = ESTIMATORS[kind]().estimate(votes(rows.tolist(), answers=4))
    renamed = ESTIMATORS[kind]().estimate(votes(order[rows].tolist(), answers=4))
    np.testing.assert_allclose(renamed.posterior[:, order], plain.posterior)
    np.testing.assert_allclose(renamed.score, plain.score)
