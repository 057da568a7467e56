"""What the other voters say: one stance each, and never one's own."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowds import crowd, table
from steelyard.diagnostics.leave_one_out import LeaveOneOut, leave_one_out, voter_labels
from steelyard.types import ABSTAIN
from vote_tables import votes


def test_a_stance_is_the_most_frequent_answer_and_two_minds_take_none() -> None:
    # v0 on q0 says 1, 0, 1: one stance, 1. v1 on q0 says 0, 2: none. v0 on q1 says 2, and abstains.
    poll = table([0, 0, 0, 0, 0, 1, 1], [0, 1, 0, 0, 1, 0, 0], [1, 0, 0, 1, 2, 2, ABSTAIN], 2, 2, 3)
    said = voter_labels(poll)
    assert [said.example.tolist(), said.voter.tolist(), said.answer.tolist()] == [
        [0, 1],
        [0, 0],
        [1, 2],
    ]
    np.testing.assert_array_equal(said.given, [[0, 1, 1], [0, 0, 0]])


def test_agreement_by_hand() -> None:
    # q0: 0 0 1, q1: 1 1 1, q2: only v0. v0 meets one of two that agree on q0 and two of two on q1.
    said = voter_labels(votes([[0, 0, 1], [1, 1, 1], [0, ABSTAIN, ABSTAIN]], answers=2))
    np.testing.assert_allclose(said.agreement(), [(0.5 + 1) / 2, 0.75, (0 + 1) / 2])


def test_a_voter_without_company_agrees_with_nobody_knows_whom() -> None:
    said = voter_labels(votes([[0, ABSTAIN], [ABSTAIN, 1]], answers=2))
    assert np.isnan(said.agreement()).all()


@given(st.integers(0, 999))
def test_leaving_out_equals_weighing_without(seed: int) -> None:
    poll, _, _ = crowd(seed, examples=12, voters=6, per=4, answers=3)
    said = voter_labels(poll)
    weight = np.random.default_rng(seed).uniform(0, 2, 6)
    consensus = LeaveOneOut(said, weight)
    q = consensus.without(np.arange(len(said.example)))
    for row in range(0, len(said.example), 7):
        kept = (said.example == said.example[row]) & (said.voter != said.voter[row])
        power = np.exp(np.bincount(said.answer[kept], weight[said.voter[kept]], 3))
        np.testing.assert_allclose(q[row], power / power.sum())


def test_ones_own_answers_leave_what_the_others_say() -> None:
    poll, _, _ = crowd(0, examples=20, voters=5, per=5)
    turned = replace(poll, answer=np.where(poll.voter == 2, 1 - poll.answer, poll.answer))
    weight = np.ones(5)
    before, after = (
        LeaveOneOut(voter_labels(v), weight).without(np.flatnonzero(voter_labels(v).voter == 2))
        for v in (poll, turned)
    )
    np.testing.assert_array_equal(before, after)


def test_weights_follow_skill_and_no_answer_is_turned_round() -> None:
    poll, kinds, _ = crowd(1, examples=1000, random=3, against=3)
    weight = leave_one_out(voter_labels(poll)).weight
    honest = weight[np.array(kinds) == ""]
    assert (weight >= 0).all()
    assert weight[:6].max() < 0.6 < honest.min()


def test_the_common_confusion_is_that_of_the_honest() -> None:
    poll, _, _ = crowd(2, examples=3000, accuracy=(0.8, 0.8), answers=3)
    confusion = leave_one_out(voter_labels(poll)).confusion
    np.testing.assert_allclose(confusion.sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(confusion), 0.8, atol=0.02)


def test_alike_voters_have_one_weight() -> None:
    poll, _, _ = crowd(3, random=5)
    assert np.ptp(leave_one_out(voter_labels(poll), equal_weights=True).weight) == pytest.approx(0)


def test_a_candidate_that_an_example_lacks_is_impossible() -> None:
    poll = votes([[0, 0, 1], [2, 2, 1]], answers=3, candidates=np.array([2, 3]))
    q = leave_one_out(voter_labels(poll)).without(np.arange(6))
    np.testing.assert_array_equal(q[:3, 2], 0)
    np.testing.assert_allclose(q.sum(axis=1), 1)
