"""The paper's ways behind options, and open answers with their own candidates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.reliability import OpenAgreement, VoteEntropy, VoteShare
from steelyard.selection import (
    FirstVoter,
    Harden,
    KeepMostReliable,
    Soften,
    WeighByScore,
    WeighByShare,
)
from steelyard.types import ABSTAIN
from vote_tables import votes


def test_kept_examples_may_have_all_their_votes() -> None:
    table = votes([[0, 0, 0, 0, 1], [1, 1, 1, 1, 1], [0, 1, 2, 0, 1]], answers=3)
    selection = KeepMostReliable(fraction=0.6, labels="votes").select(
        table, VoteEntropy().estimate(table)
    )
    assert selection.weights.tolist() == [1, 1, 0]
    np.testing.assert_allclose(selection.targets[:2], [[0.8, 0.2, 0], [0, 1, 0]])


@given(st.integers(0, 999))
def test_all_votes_are_the_papers_loss_over_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = votes(rng.integers(0, 3, (8, 5)), answers=3)
    losses = rng.random((8, 3))  # cross-entropy of each answer, whatever the student
    selection = KeepMostReliable(labels="votes").select(table, VoteEntropy().estimate(table))
    kept = selection.weights > 0
    rows = losses[table.example, table.answer].reshape(8, 5)[kept]  # a row for each vote
    ours = (selection.targets * losses).sum(axis=1)[kept]
    assert ours.mean() == pytest.approx(rows.mean())


def test_examples_with_an_unreadable_vote_may_be_dropped_before_the_share_is_taken() -> None:
    table = votes([[0, 0, ABSTAIN], [1, 1, 1], [0, 1, 1], [0, 0, 0], [1, 0, 0]], answers=2)
    entropy = VoteEntropy().estimate(table)
    # readable votes agree on the first, so it counts among the best by default
    plain = KeepMostReliable(fraction=0.6).select(table, entropy)
    assert plain.weights.tolist() == [1, 1, 0, 1, 0]
    # half of the four that are left
    strict = KeepMostReliable(fraction=0.5, drop_unreadable=True).select(table, entropy)
    assert strict.weights.tolist() == [0, 1, 0, 1, 0]
    assert strict.reasons[0] == "a vote is unreadable"


def test_reweighing_may_skip_examples_with_an_unreadable_vote() -> None:
    table = votes([[0, 0, ABSTAIN], [1, 1, 1], [0, 0, 1]], answers=2)
    shares = VoteShare().estimate(table)
    assert (WeighByShare().select(table, shares).weights > 0).all()
    strict = WeighByShare(drop_unreadable=True).select(table, shares)
    assert (strict.weights > 0).tolist() == [False, True, True]
    assert strict.weights[1:].mean() == pytest.approx(1)
    assert strict.reasons[0] == "a vote is unreadable"


def test_the_papers_certainty_of_unreadable_answers_takes_places_and_teaches_nothing() -> None:
    table = votes([[ABSTAIN] * 3, [0, 0, ABSTAIN], [1, 1, 1], [0, 1, 1]], answers=2)
    papers = VoteEntropy(unreadable="answer").estimate(table)
    # scores 1, 1 - .6365 / ln 3, 1, the same: the median of the answered three is the 2-1 value
    np.testing.assert_allclose(papers.score, [1, 0.4206, 1, 0.4206], atol=5e-5)
    selection = KeepMostReliable(fraction=0.3).select(table, papers)
    assert selection.weights.tolist() == [0, 0, 1, 0]
    assert selection.reasons[0] == "no readable vote"


def test_open_answers_are_selected_among_their_own_candidates() -> None:
    table = votes(
        [[0, 0, 0], [2, 2, 1], [0, 1, ABSTAIN], [ABSTAIN] * 3],
        candidates=np.array([1, 4, 2, 1]),
        candidate_texts=(("7",), ("1", "2", "3", "4"), ("5", "6"), ("",)),
    )
    reliability = OpenAgreement().estimate(table)
    possible = np.arange(4) < table.candidates[:, None]
    for method in (
        *(FirstVoter(), Harden(), Soften(), WeighByShare(), WeighByScore()),
        *(KeepMostReliable(ties="random"), KeepMostReliable(labels="votes")),
    ):
        selection = method.select(table, reliability)
        assert selection.targets.shape == (4, 4)
        assert (
            selection.targets[selection.weights > 0][:, :][~possible[selection.weights > 0]] == 0
        ).all()
        assert selection.weights[3] == 0
        np.testing.assert_array_equal(selection.targets[0], [1, 0, 0, 0])
