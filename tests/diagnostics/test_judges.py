"""Judges against the truth, by hand; the best single voter; which voter to drop."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from steelyard.diagnostics.drop_voter import leave_each_voter_out, votes_about
from steelyard.diagnostics.judges import best_voter, judge_against_truth
from steelyard.types import ABSTAIN, Ints, Votes
from vote_tables import votes


def test_rates_by_hand() -> None:
    # 100 items: truth yes 40, of which 30 answered yes; truth no 60, of which 15 answered yes.
    # Of yes: sensitivity 30/40, specificity 45/60, precision 30/45. kappa: observed .75, chance
    # .4 x .45 + .6 x .55 = .51: .24 / .49
    truth = np.repeat([1, 0], [40, 60])
    answer = np.concatenate([np.repeat([1, 0], [30, 10]), np.repeat([1, 0], [15, 45])])
    unasked = np.concatenate([answer, [1, ABSTAIN]])[:, None]
    table = votes(unasked, 2, classes=("no", "yes"))
    (judge,) = judge_against_truth(table, np.append(truth, [ABSTAIN, 1]))
    assert (judge.voter, judge.items, judge.counts) == ("v0", 100, ((45, 15), (10, 30)))
    yes = judge.classes[1]
    assert yes.name == "yes"
    for span, value in (
        *((yes.sensitivity, 0.75), (yes.specificity, 0.75), (yes.precision, 30 / 45)),
        *((judge.accuracy, 0.75), (judge.kappa, 0.24 / 0.49)),
    ):
        assert span is not None
        assert span.value == pytest.approx(value)
        assert span.low < value < span.high
    # Wilson, 30 of 40: (.75 + 1.9208/40 +- 1.96 sqrt(.75 x .25/40 + .9604/1600)) / (1 + 3.8415/40)
    assert yes.sensitivity is not None
    assert yes.sensitivity.low == pytest.approx(0.598, abs=5e-4)
    assert yes.sensitivity.high == pytest.approx(0.858, abs=5e-4)
    assert judge.distance is None


def test_a_scale_counts_distances() -> None:
    rng = np.random.default_rng(0)
    truth, answer = rng.integers(0, 3, 80), rng.integers(0, 3, 80)
    table = votes(answer[:, None], 3, classes=("1", "2", "3"))
    (judge,) = judge_against_truth(table, truth, "ordinal")
    assert judge.distance == pytest.approx(np.abs(truth - answer).mean())
    assert judge.kappa is not None
    expected = cohen_kappa_score(truth, answer, weights="quadratic")
    assert judge.kappa.value == pytest.approx(expected)


def test_a_class_that_never_occurs_has_no_sensitivity() -> None:
    (judge,) = judge_against_truth(votes([[0], [0], [1]], 3), np.array([0, 0, 0]))
    assert judge.classes[2].sensitivity is judge.classes[2].precision is None
    assert judge.classes[2].specificity is not None


def test_the_best_single_voter_beside_the_labels() -> None:
    # v0 is right on 90 of 100, v1 on 60; the labels on 85: those of v0 but for five.
    truth = np.zeros(100, dtype=int)
    rows = np.zeros((100, 2), dtype=int)
    rows[:10, 0], rows[:40, 1] = 1, 1
    label = rows[:, 0].copy()
    label[10:15] = 1
    found = best_voter(votes(rows, 2), label, truth)
    assert found is not None
    assert (found.voter, found.items, found.accuracy) == ("v0", 100, 0.9)
    assert found.labels_accuracy == pytest.approx(0.85)
    assert found.difference.value == pytest.approx(-0.05)
    # five differences of -1 in 100: sd sqrt(.05 x .95 x 100 / 99) = .2190, half 1.96 x .0219
    assert found.difference.high - found.difference.value == pytest.approx(0.0429, abs=1e-4)


def test_a_voter_of_a_few_items_is_not_the_best() -> None:
    rows = np.zeros((100, 2), dtype=int)
    rows[:40, 0] = 1
    rows[30:, 1] = ABSTAIN  # v1 is right on 0 of 30
    found = best_voter(votes(rows, 2), rows[:, 0], np.zeros(100, dtype=int))
    assert found is not None
    assert found.voter == "v0"
    assert best_voter(votes(rows[:, :1], 2), rows[:, 0], np.zeros(100, dtype=int)) is None


def majority(table: Votes, _items: Ints) -> Ints:
    return np.asarray(np.where(table.answered, table.counts.argmax(axis=1), ABSTAIN))


def test_the_voter_to_drop_is_the_one_without_whom_labels_are_better() -> None:
    # v1 and v2 copy each other's errors on 40 of 100 items. Without either of them a tie goes to
    # class 0, which is right: 1.0, against .6 with all; without v0 nothing changes.
    truth = np.zeros(100, dtype=int)
    rows = np.zeros((100, 3), dtype=int)
    rows[:40, 1:] = 1
    found = leave_each_voter_out(votes(rows, 2), majority, truth)
    assert found is not None
    assert found.items == 100
    first, second, last = found.voters
    assert {first.voter, second.voter, last.voter} == {"v0", "v1", "v2"}
    assert (first.accuracy, first.changed, last.voter, last.changed) == (1.0, 0.4, "v0", 0.0)
    assert first.difference.value == pytest.approx(0.4)
    assert first.difference.low == pytest.approx(0.4 - 1.96 * (0.24 / 99) ** 0.5)
    assert last.difference.low == last.difference.high == 0


def test_two_voters_and_little_truth_are_not_weighed_again() -> None:
    few = np.where(np.arange(50) < 19, 0, ABSTAIN)
    assert leave_each_voter_out(votes([[0, 1, 0]] * 50, 2), majority, few) is None
    two = votes([[0, 1]] * 50, 2)
    assert leave_each_voter_out(two, majority, np.zeros(50, dtype=int)) is None


def test_votes_about_some_items_keep_their_answers() -> None:
    table = votes([[0, 1], [2, ABSTAIN], [1, 1]], 3)
    part = votes_about(table, np.array([0, 2]))
    assert part.ids == ("q0", "q2")
    np.testing.assert_array_equal(part.counts, table.counts[[0, 2]])
