"""Classes have names and an order, and neither changes any score, agreement or selection."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.evaluation import (
    METRICS,
    detect_errors,
    find_metric,
    majority_answers,
    single_voters,
    voter_answers,
    without_abstentions,
)
from steelyard.selection import NothingToLearn
from steelyard.studies.grading import share_agreed
from steelyard.studies.presets import PRESETS
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.types.arrays import expected_hits, leaders

PURE = [
    name
    for name, arm in PRESETS.items()
    if "hierarchical" not in name
    and not arm.reliability.needs_features
    and not arm.reliability.needs_student
]
"""Arms whose estimators count; the others iterate, so that rounding decides ties."""


@st.composite
def tables(draw: st.DrawFn) -> tuple[Votes, Ints, Ints]:
    """Votes of up to four voters with abstentions and ties, the truth, and an order of classes."""
    size, voters = draw(st.integers(4, 9)), draw(st.integers(1, 4))
    classes = draw(st.integers(2, 4))
    cells = st.lists(st.integers(ABSTAIN, classes - 1), min_size=voters, max_size=voters)
    answers = np.array(draw(st.lists(cells, min_size=size, max_size=size)), dtype=np.int64)
    truth = np.array([*range(classes), *[0] * size][:size], dtype=np.int64)
    order = np.array(draw(st.permutations(range(classes))), dtype=np.int64)
    return votes_of(answers, classes), truth, order


def votes_of(answers: Ints, classes: int) -> Votes:
    """(N, V) answers as votes."""
    example, voter = (index.ravel() for index in np.indices(answers.shape))
    return Votes(
        ids=tuple(f"q{i}" for i in range(len(answers))),
        voters=tuple(f"v{i}" for i in range(answers.shape[1])),
        queries=("plain",),
        example=example,
        voter=voter,
        query=np.zeros(example.size, dtype=np.int64),
        answer=answers.ravel(),
        candidates=np.full(len(answers), classes),
        classes=tuple(f"class {k}" for k in range(classes)),
    )


def renamed(votes: Votes, order: Ints) -> Votes:
    """The same votes where class k has number order[k]."""
    answers = np.where(votes.answer == ABSTAIN, ABSTAIN, order[votes.answer])
    return votes_of(answers.reshape(len(votes.ids), -1), votes.num_classes)


@pytest.mark.parametrize("metric", METRICS)
@given(table=tables())
@settings(max_examples=40, deadline=None)
def test_no_metric_of_any_supervisor_depends_on_the_order(metric: str, table: Any) -> None:
    votes, truth, order = table
    other = renamed(votes, order)
    score = find_metric(metric)

    def scores(votes: Votes, truth: Ints) -> list[float]:
        rows = [*map(voter_answers, single_voters(votes)), majority_answers(votes)]
        return [
            float(score(truth, without_abstentions(r, votes.num_classes), None)[0]) for r in rows
        ]

    np.testing.assert_allclose(
        scores(votes, truth), scores(other, order[truth]), atol=1e-9, equal_nan=True
    )


@given(table=tables())
@settings(max_examples=60, deadline=None)
def test_no_agreement_and_no_error_detection_depends_on_the_order(table: Any) -> None:
    votes, truth, order = table
    other, size = renamed(votes, order), votes.num_classes
    pairs = [(majority_answers(v), voter_answers(single_voters(v)[0])) for v in (votes, other)]
    agreed = [share_agreed(*pair, size) for pair in pairs]
    assert agreed[0] == pytest.approx(agreed[1])
    found = [
        detect_errors(pair[0], {}, t)["least_confidence"]
        for pair, t in zip(pairs, (truth, order[truth]), strict=True)
    ]
    assert found[0].mean == pytest.approx(found[1].mean)
    assert (found[0].auroc is None) == (found[1].auroc is None)
    if found[0].auroc is not None:
        assert found[0].auroc == pytest.approx(found[1].auroc)


@pytest.mark.parametrize("name", PURE)
@given(table=tables())
@settings(max_examples=25, deadline=None)
def test_no_arm_depends_on_the_order(name: str, table: Any) -> None:
    votes, truth, order = table
    arm = PRESETS[name]

    def selected(votes: Votes, truth: Ints) -> tuple[Floats, Floats, float] | None:
        try:
            slices = tuple("ab"[i % 2] for i in range(len(votes.ids)))
            selection = arm.select(votes, arm.reliability.estimate(votes), truth, 0, slices)
        except NothingToLearn:
            return None
        right = expected_hits(truth, selection.targets)[selection.weights > 0]
        return selection.targets, selection.weights, float(right.mean())

    one, two = selected(votes, truth), selected(renamed(votes, order), order[truth])
    assert (one is None) == (two is None)
    if one is not None and two is not None:
        kept = one[1] > 0
        np.testing.assert_allclose(one[0][kept], two[0][kept][:, order], atol=1e-9)
        np.testing.assert_allclose(one[1], two[1], atol=1e-9)
        assert one[2] == pytest.approx(two[2])


def test_ties_and_abstentions_by_hand() -> None:
    # rows: agreed on 0; tied 0, 1; both abstain; agreed on 1.  truth 0, 1, 0, 0
    votes = votes_of(np.array([[0, 0], [0, 1], [-1, -1], [1, 1]]), classes=2)
    truth = np.array([0, 1, 0, 0])
    table = majority_answers(votes)
    assert table.tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [0, 1, 0]]
    rows = without_abstentions(table, 2)
    assert find_metric("accuracy")(truth, rows, None)[0] == (1 + 0.5 + 0 + 0) / 4
    # recall of class 0: 1 of 3, of class 1: 0.5 of 1
    assert find_metric("balanced_accuracy")(truth, rows, None)[0] == pytest.approx(
        (1 / 3 + 0.5) / 2
    )
    # predicted 1.5 of class 0 and 1.5 of class 1: F1 2 / 4.5 and 1 / 2.5
    assert find_metric("macro_f1")(truth, rows, None)[0] == pytest.approx((2 / 4.5 + 1 / 2.5) / 2)
    # P(class 1) 0, .5, .5 (no answer), 1; the only item of class 1 has .5: above 1, ties 1, below 1
    assert find_metric("auroc")(truth, rows, None)[0] == 0.5
    # confidences 1, .5, 0, 1 and right 1, .5, 0, 0: only the last is off, by 1 of 4
    assert find_metric("ece")(truth, rows, None)[0] == pytest.approx(0.25)
    assert share_agreed(table, table, 2) == (1 + 0.5 + 0 + 1) / 4


def test_an_abstention_that_is_only_likely_leaves_the_other_answers_in_their_order() -> None:
    table = np.array([[0.5, 0.2, 0.3], [0.3, 0.2, 0.5], [0.4, 0.2, 0.4]])
    assert without_abstentions(table, 2).tolist() == [[0.5, 0.2], [0, 0], [0, 0]]
    assert leaders(np.zeros((1, 3))).tolist() == [[0, 0, 0]]


def test_resamples_count_ties_like_the_items_themselves() -> None:
    truth, rows = np.array([0, 1, 1]), np.array([[0.5, 0.5], [0.2, 0.8], [0.0, 0.0]])
    counts = np.array([[2, 1, 0], [0, 0, 3]], dtype=np.uint8)
    # twice the tie and one hit of three; three without an answer
    assert find_metric("accuracy")(truth, rows, counts).tolist() == [(2 * 0.5 + 1) / 3, 0.0]
