"""Open answers graded by hand."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.evaluation import draw_resamples, measure
from steelyard.evaluation.metrics import metrics_of
from steelyard.evaluation.open_answers import (
    candidate_numbers,
    canonical_truth,
    grade_texts,
    grade_tied_texts,
    tied_texts,
)
from steelyard.evaluation.slot_metrics import count_slots
from steelyard.types import ABSTAIN, NO_CANDIDATE, Votes
from vote_tables import votes

TEXTS = (("72", "70", "1200"), ("5",), ("",), ("1", "2"))


def table(rows: list[list[int]]) -> Votes:
    counts = np.array([len(texts) for texts in TEXTS])
    return votes(rows, candidates=counts, candidate_texts=TEXTS)


def test_equal_numbers_are_equal_answers() -> None:
    truth = canonical_truth(("a", "b", "c", "d"), ("$1,200.00", "6", "5", "#### 2"), "number")
    assert truth == ("1200", "6", "5", "2")
    rows = [[0, 0, 1], [0, 0, 0], [ABSTAIN] * 3, [1, 1, 0]]
    numbers = candidate_numbers(table(rows), truth, "number")
    # 1200 is candidate 2 of "a"; nobody said 6 or 5; 2 is candidate 1 of "d".
    assert numbers.tolist() == [2, NO_CANDIDATE, NO_CANDIDATE, 1]


def test_votes_are_right_where_the_winner_is() -> None:
    rows = [[2, 2, 1], [0, 0, ABSTAIN], [ABSTAIN] * 3, [0, 0, 1]]
    cast = table(rows)
    assert tied_texts(cast) == (("1200",), ("5",), (), ("1",))
    graded = grade_tied_texts(tied_texts(cast), ["1200", "6", "5", "1"], "number")
    # "a": 1200 wins two to one; "b": 5 is not what is right; "c": silence; "d": 1 wins.
    assert graded.tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
    score = measure("accuracy", np.zeros(4, dtype=np.int64), [[graded]], draw_resamples(4))
    assert score.value == 0.5


def test_a_silent_voter_is_wrong_even_where_nobody_gave_the_truth() -> None:
    assert tied_texts(table([[ABSTAIN]] * 4)) == ((),) * 4
    unnamed = votes(
        np.zeros((2, 0), np.int64), candidates=np.zeros(2, np.int64), candidate_texts=((), ())
    )
    assert tied_texts(unnamed) == ((), ())
    assert grade_texts([None] * 2, ["72", "5"], "number").tolist() == [[0, 1], [0, 1]]


def test_texts_are_compared_in_the_reader_s_spelling() -> None:
    graded = grade_texts(["The answer is 1,200.", None, "12", "no idea"], ["1200"] * 4, "number")
    assert graded[:, 0].tolist() == [1, 0, 0, 0]
    graded = grade_texts(["South africa.", "Africa"], ["south africa"] * 2, "text")
    assert graded[:, 0].tolist() == [1, 0]


def test_a_truth_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InputError, match=r"true answer of 'b', 'many', cannot be read as number"):
        canonical_truth(("a", "b"), ("1", "many"), "number")


SLOTS = ('{"date": "next friday", "person": "bob"}', "{}", "{}", '{"to": ["bonn", "rome"]}')
SAID = (
    '[{"type": "date", "filler": "Friday"}, {"type": "place", "filler": "rome"}]',
    "[]",
    None,
    '{"to": ["Rome", "Bonn"]}',
)


def test_slots_are_graded_as_the_metric_counts_them() -> None:
    assert metrics_of("generation", "slots") == ("accuracy", "slu_f1", "span_f1")
    assert metrics_of("generation", "json") == ("accuracy",)
    whole = grade_texts(SAID, SLOTS, "slots")
    assert whole.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]  # unreadable is wrong, no slots right
    exact = grade_texts(SAID, SLOTS, "slots", "span_f1")
    assert exact.tolist() == [[0, 2, 2], [0, 0, 0], [0, 0, 0], [2, 0, 0]]
    # friday: word .5 and char 5/11 of FP and FN, TP 2; rome: FP 2; bob: FN 2; the last: TP 4.
    soft = grade_texts(SAID, SLOTS, "slots", "slu_f1")
    np.testing.assert_allclose(soft, [[2, 2.5 + 5 / 11, 2.5 + 5 / 11], [0] * 3, [0] * 3, [4, 0, 0]])
    alone = measure("slu_f1", np.zeros(2, dtype=np.int64), [[soft[:2]]], draw_resamples(2))
    assert alone.value == pytest.approx(4 / (4 + 2 * (2.5 + 5 / 11)))  # .4037


SLOT = st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y z", "w"]))
LISTS = st.lists(SLOT, max_size=3)


@given(st.lists(st.tuples(LISTS, LISTS), min_size=1, max_size=5))
def test_equal_spellings_are_whole_answers(rows: list[tuple[list[Any], list[Any]]]) -> None:
    truth = canonical_truth(
        [str(i) for i in range(len(rows))], [spelled(r) for r, _ in rows], "slots"
    )
    graded = grade_texts([spelled(s) for _, s in rows], truth, "slots")
    slot_counts = count_slots([r for r, _ in rows], [s for _, s in rows])
    np.testing.assert_array_equal(graded[:, 0] == 1, slot_counts.whole)


def spelled(slots: list[Any]) -> str:
    return json.dumps([{"type": kind, "filler": filler} for kind, filler in slots])
