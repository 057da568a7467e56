"""What the student is taught, by hand and by property."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.reliability import Confidence, VoteEntropy, VoteShare
from steelyard.selection import (
    FirstVoter,
    Harden,
    KeepMostReliable,
    Soften,
    WeighByScore,
    WeighByShare,
    keep_right,
    random_keep,
    refuse_one_label,
    select_truth,
    shuffled_weights,
)
from steelyard.selection.keep import most_reliable
from steelyard.selection.label_and_ties import most_probable
from steelyard.types import ABSTAIN, Selection, Votes
from vote_tables import votes


def labels(selection: Selection) -> list[int]:
    return [int(label) for label in selection.targets.argmax(axis=1)]


def test_naive_is_one_voters_word() -> None:
    table = votes([[0, 1, 1], [1, 0, 0], [ABSTAIN, 1, 1]], answers=2)
    selection = FirstVoter().select(table, VoteShare().estimate(table))
    assert labels(selection)[:2] == [0, 1]
    assert selection.weights.tolist() == [1, 1, 0]
    assert selection.reasons == ("", "", "the first voter gave no readable answer")


def test_where_voters_answer_different_examples_the_first_one_asked_is_naive() -> None:
    table = Votes(
        ids=("q0", "q1"),
        voters=("ann", "bob", "cat"),
        queries=("q",),
        example=np.array([0, 0, 1, 1]),
        voter=np.array([2, 1, 2, 0]),
        query=np.zeros(4, dtype=np.int64),
        answer=np.array([0, 1, 1, 0]),
        candidates=np.array([2, 2]),
    )
    selection = FirstVoter().select(table, VoteShare().estimate(table))
    assert labels(selection) == [1, 0]  # bob before cat, ann before cat


def test_majority_is_everybodys() -> None:
    table = votes([[0, 1, 1], [1, 0, 0], [ABSTAIN, ABSTAIN, 1]], answers=2)
    selection = Harden().select(table, VoteShare().estimate(table))
    assert labels(selection) == [1, 0, 1]
    assert selection.kept == 3


def test_a_tie_goes_to_the_surer_voters() -> None:
    probs = np.array([[0.55, 0.45], [0.1, 0.9]])
    table = votes([[0, 1]], answers=2, probs=probs)
    assert most_probable(table, table.shares()).tolist() == [1]


def test_a_perfect_tie_does_not_favour_the_lower_number() -> None:
    table = votes([[0, 1]] * 2000, answers=2)
    drawn = most_probable(table, table.shares(), seed=3)
    assert 0.45 < drawn.mean() < 0.55
    assert drawn.tolist() == most_probable(table, table.shares(), seed=3).tolist()


def test_soft_targets_are_the_posterior() -> None:
    table = votes([[0, 1], [1, 1]], answers=2)
    selection = Soften().select(table, Confidence().estimate(table))
    np.testing.assert_allclose(selection.targets, [[0.5, 0.5], [0, 1]])


# Ties at the threshold: scores 1, 1, 1, 2/3, 2/3, 1/3 of six examples.
SCORES = np.array([1, 1, 1, 2 / 3, 2 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("fraction", "ties", "kept"),
    [
        (0.5, "keep", 3),  # the third best is 1: all three ones
        (0.4, "keep", 3),  # ceil(.4 * 6) = 3
        (0.6, "keep", 5),  # ceil(3.6) = 4th best is 2/3, tied with the fifth
        (0.6, "drop", 3),
        (0.6, "random", 4),
        (0.1, "drop", 3),  # nothing lies above the best score, so the tie is kept
        (1.0, "random", 6),
    ],
)
def test_ties_at_the_threshold(fraction: float, ties: Any, kept: int) -> None:
    mask = most_reliable(SCORES, np.ones(6, dtype=bool), fraction, ties, seed=0)
    assert mask.sum() == kept
    assert SCORES[mask].min() >= SCORES[~mask].max(initial=0)


@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40),
    st.floats(0.05, 1),
    st.integers(0, 9),
)
def test_random_ties_keep_exactly_the_asked_share(
    scores: list[float], fraction: float, seed: int
) -> None:
    score = np.array(scores)
    mask = most_reliable(score, np.ones(len(score), dtype=bool), fraction, "random", seed)
    assert mask.sum() == int(np.ceil(fraction * len(score) - 1e-9))
    if (~mask).any():
        assert score[mask].min() >= score[~mask].max()


def test_unanimous_unreadable_answers_do_not_pass_the_filter() -> None:
    table = votes([[ABSTAIN] * 3, [0, 0, 0], [1, 1, 1], [0, 1, 1]], answers=2)
    selection = KeepMostReliable(fraction=0.5).select(table, VoteEntropy().estimate(table))
    assert selection.weights.tolist() == [0, 1, 1, 0]
    assert selection.reasons[0] == "no readable vote"
    assert selection.reasons[3] == "not among the most reliable 50%"


def test_reweighing_by_hand() -> None:
    table = votes([[0, 0, 0, 1, 1], [1, 1, 1, 1, 1]], answers=2)
    selection = WeighByShare(temperature=0.2).select(table, VoteShare().estimate(table))
    # 3-2: r = 1 / (1 + e^-1) = .7311 and .2689. Mass .6 * .7311 = .4386 and .4 * .2689 = .1076,
    # sum .5462: target .8031, .1969. Unanimous: weight 1. Scaled by the mean (1.5462 / 2).
    np.testing.assert_allclose(selection.targets, [[0.8031, 0.1969], [0, 1]], atol=1e-4)
    np.testing.assert_allclose(selection.weights, [0.5462 / 0.7731, 1 / 0.7731], atol=1e-4)


@given(st.integers(0, 999), st.sampled_from([0.2, 1.0]))
def test_reweighing_is_the_papers_loss_over_rows(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    table = votes(rng.integers(0, 3, (7, 5)), answers=3)
    losses = rng.random((7, 3))  # cross-entropy of each answer, whatever the student
    rows = table.sharpened(temperature)[table.example, table.answer]
    papers = (rows * losses[table.example, table.answer]).reshape(7, 5).mean(axis=1)
    selection = WeighByShare(temperature=temperature).select(table, VoteShare().estimate(table))
    ours = selection.weights * (selection.targets * losses).sum(axis=1)
    np.testing.assert_allclose(ours / ours.sum(), papers / papers.sum())


def test_weighing_by_score_has_mean_one_over_the_kept() -> None:
    table = votes([[0, 0, 0], [1, 1, 0], [ABSTAIN] * 3], answers=2)
    selection = WeighByScore().select(table, VoteShare().estimate(table))
    # scores 1, 2/3, 0: mean of the kept 5/6
    np.testing.assert_allclose(selection.weights, [6 / 5, 4 / 5, 0])


def test_a_selection_that_keeps_nothing_says_why() -> None:
    table = votes([[ABSTAIN], [ABSTAIN]], answers=2)
    with pytest.raises(InputError, match=r"keeps none of 2 examples \(\{'no readable vote': 2\}\)"):
        Harden().select(table, VoteShare().estimate(table))


def test_a_selection_of_one_class_is_refused() -> None:
    table = votes([[0, 0], [0, 0], [0, 1]], answers=2)
    selection = KeepMostReliable(fraction=0.5).select(table, VoteEntropy().estimate(table))
    with pytest.raises(InputError, match="All 2 kept examples have the same label, 0"):
        refuse_one_label(selection)
    with pytest.raises(InputError, match="have the same label, `pos`;"):
        refuse_one_label(selection, ("pos", "neg"))


def test_the_ceiling_is_taught_the_truth() -> None:
    selection = select_truth(("a", "b"), np.array([1, 0]), num_classes=3)
    assert selection.targets.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert selection.weights.tolist() == [1, 1]


def test_the_oracle_drops_the_wrong_labels_alone() -> None:
    table = votes([[0], [1], [1]], answers=2)
    majority = Harden().select(table, VoteShare().estimate(table))
    oracle = keep_right(majority, np.array([0, 1, 0]))
    assert oracle.weights.tolist() == [1, 1, 0]
    assert oracle.reasons[2] == "the label is wrong"


def test_controls_have_the_shape_and_not_the_information() -> None:
    rng = np.random.default_rng(0)
    table = votes(rng.integers(0, 2, (400, 5)), answers=2)
    reliability = VoteEntropy().estimate(table)
    everything = Harden().select(table, reliability)
    kept = KeepMostReliable().select(table, reliability)
    control = random_keep(kept, everything, seed=1)
    assert control.kept == kept.kept
    assert reliability.score[control.weights > 0].mean() == pytest.approx(
        reliability.score.mean(), abs=0.1
    )
    assert control.targets.tolist() == everything.targets.tolist()

    weighed = WeighByShare().select(table, reliability)
    shuffled = shuffled_weights(weighed, seed=1)
    assert sorted(shuffled.weights) == pytest.approx(sorted(weighed.weights))
    assert shuffled.weights.tolist() != weighed.weights.tolist()
    assert shuffled.targets.tolist() == weighed.targets.tolist()
