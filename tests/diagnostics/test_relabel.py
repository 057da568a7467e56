"""What to label again first: the expected value of one more vote."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowds import crowd
from steelyard.diagnostics.relabel import (
    expected_gain,
    expected_gain_of_coin,
    gains,
    relabel_first,
    typical_voter,
)
from steelyard.errors import InputError
from steelyard.reliability import Hierarchical, Mace, OneCoin, VoteShare
from steelyard.types import ABSTAIN, Reliability, VoterSkill
from vote_tables import votes

COIN = np.array([[0.7, 0.3], [0.3, 0.7]])


def test_gain_by_hand() -> None:
    # p = (.6, .4), C = ((.8, .2), (.3, .7)). The vote says a: max(.6 x .8, .4 x .3) = .48; it says
    # b: max(.6 x .2, .4 x .7) = .28. Together .76, now .6: gain .16.
    confusion = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert expected_gain(np.array([[0.6, 0.4]]), confusion)[0] == pytest.approx(0.16)
    # p = (.9, .1): max(.72, .03) + max(.18, .07) = .9: no vote can turn it.
    assert expected_gain(np.array([[0.9, 0.1]]), confusion)[0] == pytest.approx(0)
    # p = (.5, .5) and a coin of .7: .35 + .35 - .5 = .2
    assert expected_gain(np.array([[0.5, 0.5]]), COIN)[0] == pytest.approx(0.2)


@given(st.integers(0, 9999), st.integers(2, 5))
def test_gain_equals_the_mean_over_the_answers_of_bayes_rule(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    posterior, confusion = rng.dirichlet(np.ones(k), 4), rng.dirichlet(np.ones(k), k)
    for row, gain in zip(posterior, expected_gain(posterior, confusion), strict=True):
        chance = row @ confusion
        after = [(row * confusion[:, answer] / chance[answer]).max() for answer in range(k)]
        assert gain == pytest.approx(chance @ after - row.max(), abs=1e-12)
        assert gain >= 0


@given(st.integers(0, 9999), st.integers(2, 5), st.floats(0.05, 0.95))
def test_a_coin_is_a_confusion_matrix_with_one_number(seed: int, k: int, accuracy: float) -> None:
    posterior = np.random.default_rng(seed).dirichlet(np.ones(k), 4)
    posterior[0, :2] = posterior[0, :2].mean()  # a tie
    confusion = np.full((k, k), (1 - accuracy) / (k - 1))
    np.fill_diagonal(confusion, accuracy)
    np.testing.assert_allclose(
        expected_gain_of_coin(posterior, accuracy, np.full(4, k)),
        expected_gain(posterior, confusion),
        atol=1e-12,
    )


def test_candidates_that_an_example_lacks_cannot_be_named() -> None:
    wide = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    gain = expected_gain_of_coin(wide, 0.7, np.array([2, 1]))
    np.testing.assert_allclose(gain, [0.2, 0])


def test_a_useless_voter_and_a_sure_example_gain_nothing() -> None:
    posterior = np.array([[0.6, 0.4], [1.0, 0.0]])
    np.testing.assert_allclose(expected_gain(posterior, np.full((2, 2), 0.5)), 0, atol=1e-15)
    assert expected_gain(posterior, COIN)[1] == 0


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"must be \(2, 2\) for 2 answers, got \(3, 3\)"):
        expected_gain(np.array([[0.5, 0.5]]), np.eye(3))


def test_the_typical_voter_is_the_mean_of_those_learnt() -> None:
    poll = votes([[0, ABSTAIN], [1, 1], [0, ABSTAIN]], answers=2)  # v0 has three votes, v1 one
    matrices = np.array([[[0.8, 0.2], [0.2, 0.8]], [[0.4, 0.6], [0.6, 0.4]]])
    skill = VoterSkill(poll.voters, np.array([0.8, 0.4]), matrices)
    learnt = Reliability(poll.ids, np.full((3, 2), 0.5), np.full(3, 0.5), skill)
    np.testing.assert_allclose(typical_voter(poll, learnt), [[0.7, 0.3], [0.3, 0.7]])


def test_the_typical_voter_without_learning_is_counted() -> None:
    # Row a: .8 for a (q0) and .4 for b (q1), and one more of (1, 1) votes plus 1/2 each, over 3:
    # (.8 + .5, .4 + .5) / 2.2
    poll = votes([[0], [1]], answers=2)
    rows = Reliability(poll.ids, np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([0.8, 0.6]))
    np.testing.assert_allclose(
        typical_voter(poll, rows), [[1.3 / 2.2, 0.9 / 2.2], [0.7 / 1.8, 1.1 / 1.8]]
    )


def test_without_a_readable_vote_the_typical_voter_answers_at_random() -> None:
    poll = votes([[ABSTAIN]], answers=2)
    rows = Reliability(poll.ids, np.array([[0.5, 0.5]]), np.zeros(1))
    np.testing.assert_allclose(typical_voter(poll, rows), [[0.5, 0.5], [0.5, 0.5]])
    assert gains(poll, rows).tolist() == [0.0]


@pytest.mark.parametrize("method", [OneCoin(), Hierarchical(), Mace()])
def test_many_classes_have_no_confusion_matrices(method: OneCoin | Hierarchical | Mace) -> None:
    poll = votes([[0, 0, 1]], answers=5000)  # 3 x 5000 x 5000 numbers would take 600 MB
    reliability = method.estimate(poll)
    assert reliability.skill is not None
    assert reliability.skill.confusion is None
    assert 0 <= gains(poll, reliability)[0] < 1


def test_the_ranking_begins_where_a_vote_helps_most() -> None:
    poll = votes(
        [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], [ABSTAIN] * 4],
        answers=2,
        classes=("safe", "unsafe"),
    )
    label = np.array([0, 1, 0, ABSTAIN])
    ranked = relabel_first(poll, VoteShare().estimate(poll), label)
    assert ranked.total == 2  # no single vote can change the labels of q0 and q2
    assert [item.id for item in ranked.first] == ["q1", "q3"]
    assert [item.label for item in ranked.first] == ["unsafe", ""]
    assert ranked.first[0].gain == ranked.first[1].gain > 1e-6
    assert ranked.first[0].score == 0.5
    fewer = relabel_first(poll, VoteShare().estimate(poll), label, most=1)
    assert (fewer.total, len(fewer.first)) == (2, 1)


def test_rounding_is_no_gain_and_ties_are_listed_without_one() -> None:
    # A typical voter who answers at random gains nothing; a tie is listed all the same. The gain of
    # (.9, .1) by a coin of .9 is rounding: .9 x .9 + .1 x .9 - .9 = 0.
    poll = votes([[0, 0], [0, 1]], answers=2)
    rows = np.array([[0.9, 0.1], [0.5, 0.5]])
    coin = np.array([[[0.9, 0.1], [0.1, 0.9]]] * 2)
    for confusion in (coin, np.full((2, 2, 2), 0.5)):
        skill = VoterSkill(poll.voters, np.array([0.9, 0.9]), confusion)
        learnt = Reliability(poll.ids, rows, rows.max(axis=1), skill)
        found = relabel_first(poll, learnt, np.array([0, 0]))
        assert [item.id for item in found.first] == ["q1"]


def test_the_least_certain_label_is_first() -> None:
    poll = votes([[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 2, 3]], answers=4)
    found = relabel_first(poll, VoteShare().estimate(poll), np.zeros(4, dtype=int))
    assert [item.score for item in found.first] == sorted(item.score for item in found.first)


def test_open_answers_are_ranked_with_their_texts() -> None:
    poll = votes(
        [[0, 0, 1], [0, 0, 0]],
        answers=2,
        candidates=np.array([2, 1]),
        candidate_texts=(("72", "48"), ("5",)),
    )
    ranked = relabel_first(poll, VoteShare().estimate(poll), np.array([0, 0]))
    assert [(item.id, item.label) for item in ranked.first] == [("q0", "72")]


def test_a_vote_where_the_gain_is_repairs_more_labels_than_one_anywhere() -> None:
    """One more vote of a voter who is right 4 times in 5, on 100 of 1,000 examples."""
    repaired = {"by gain": 0, "anywhere": 0}
    for seed in range(5):
        poll, _, truth = crowd(seed, examples=1000, per=4)
        rng = np.random.default_rng(seed)
        vote = np.where(rng.random(1000) < 0.8, truth, 1 - truth)
        by_gain = np.argsort(-gains(poll, VoteShare().estimate(poll)), kind="stable")
        for name, order in (("by gain", by_gain), ("anywhere", rng.permutation(1000))):
            counts = poll.counts.copy()
            before = (counts.argmax(axis=1) == truth).sum()
            counts[order[:100], vote[order[:100]]] += 1
            repaired[name] += int((counts.argmax(axis=1) == truth).sum() - before)
    assert repaired["by gain"] > 2 * repaired["anywhere"]
