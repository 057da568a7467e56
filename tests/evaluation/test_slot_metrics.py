"""SLU-F1 by hand, against the toolkit's definition written out, and on real answers."""

import gzip
import json
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.evaluation import find_metric
from steelyard.evaluation.metrics import Counts
from steelyard.evaluation.slot_metrics import (
    SlotCounts,
    character_distance,
    count_slots,
    edits,
    word_distance,
)
from steelyard.prompts import canonical
from steelyard.prompts.parse_slots import Slot, read_slots
from steelyard.types import Floats

GOLD = [("date", "next friday"), ("person", "bob")]
SAID = [("date", "friday"), ("place", "rome")]


def slu_f1(result: SlotCounts, counts: Counts | None = None) -> Floats:
    return find_metric("slu_f1")(
        np.zeros(len(result.whole), np.int64), result.table("slu_f1"), counts
    )


def span_f1(result: SlotCounts, counts: Counts | None = None) -> Floats:
    return find_metric("span_f1")(
        np.zeros(len(result.whole), np.int64), result.table("span_f1"), counts
    )


def test_a_near_filler_counts_in_part_by_hand() -> None:
    # word: one of two words is missing, d = .5; char: 5 of 11 characters, d = .4545.
    # `place` has no true slot: FP 1 each; `person` is missed: FN 1 each.
    # sums: TP 2, FP 2 + .9545 = 2.9545, FN 2.9545; SLU-F1 = 4 / (4 + 5.9091) = .4037
    result = count_slots([GOLD], [SAID])
    np.testing.assert_allclose(result.word, [[1, 1.5, 1.5]])
    np.testing.assert_allclose(result.char, [[1, 1 + 5 / 11, 1 + 5 / 11]])
    np.testing.assert_allclose(result.exact, [[0, 2, 2]])
    np.testing.assert_allclose(slu_f1(result), [4 / (4 + 2 * (2.5 + 5 / 11))])
    assert slu_f1(result)[0] == pytest.approx(0.4037, abs=5e-5)
    assert span_f1(result) == [0]


def test_the_corpus_is_summed_before_it_is_divided() -> None:
    # One right slot of one, none of three: 2 / (2 + 3) = .4; the mean of 1 and 0 would be .5.
    result = count_slots([[("a", "x")], [("b", "y")] * 3], [[("a", "x")], []])
    np.testing.assert_allclose(span_f1(result), [0.4])
    np.testing.assert_allclose(slu_f1(result), [0.4])


def test_equal_slots_are_used_up_one_by_one() -> None:
    result = count_slots([[("a", "x"), ("a", "x")]], [[("a", "x")] * 3])
    np.testing.assert_allclose(result.exact, [[2, 1, 0]])
    np.testing.assert_allclose(result.word, [[2, 1, 0]])


def test_the_nearest_filler_of_the_type_is_taken_in_the_order_of_the_prediction() -> None:
    # "a b" takes "a b c" (1/3) before "x" (1); "x" then has its equal.
    result = count_slots([[("t", "x"), ("t", "a b c")]], [[("t", "a b"), ("t", "x")]])
    np.testing.assert_allclose(result.word, [[2, 1 / 3, 1 / 3]])


def test_a_filler_far_too_long_costs_more_than_a_miss() -> None:
    assert word_distance("bob", "bob and his four friends") == 4
    assert word_distance("", "bob smith") == 2  # an empty true filler counts as one word
    assert character_distance("", "") == 0
    assert character_distance("bob", "") == 1


def test_an_unreadable_answer_has_no_slots_and_is_never_whole() -> None:
    result = count_slots([[], [], [("a", "x")]], [None, [], None])
    assert result.whole.tolist() == [False, True, False]
    np.testing.assert_allclose(result.exact, [[0, 0, 0], [0, 0, 0], [0, 0, 1]])


def test_without_any_slot_there_is_no_score() -> None:
    result = count_slots([[], []], [[], None])
    assert np.isnan(slu_f1(result)).all()
    assert np.isnan(slu_f1(count_slots([], []))).all()


def test_lists_must_be_of_the_same_utterances() -> None:
    with pytest.raises(InputError, match="each of 2 utterances, got 1"):
        count_slots([[], []], [[]])


def test_resamples_are_corpora() -> None:
    truth: list[list[Slot]] = [GOLD, [("a", "x y")], [("b", "z")], []]
    answers: list[list[Slot] | None] = [SAID, [("a", "x")], None, [("c", "w")]]
    result = count_slots(truth, answers)
    draws = np.random.default_rng(0).integers(0, 4, (6, 4))
    counts = np.stack([np.bincount(draw, minlength=4) for draw in draws]).astype(np.float64)
    for draw, value in zip(draws, slu_f1(result, counts), strict=True):
        alone = slu_f1(count_slots([truth[i] for i in draw], [answers[i] for i in draw]))[0]
        np.testing.assert_allclose(value, alone)


SLOTS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.lists(st.sampled_from(["x", "yy", "xy", "z z"]), max_size=3)
    ).map(lambda pair: (pair[0], " ".join(["w", *pair[1]]))),
    max_size=5,
)


@given(st.lists(st.tuples(SLOTS, SLOTS), min_size=1, max_size=6))
def test_the_toolkits_definition(rows: list[tuple[list[Slot], list[Slot]]]) -> None:
    truth, answers = [row[0] for row in rows], [row[1] for row in rows]
    result = count_slots(truth, answers)
    np.testing.assert_allclose(slu_f1(result)[0], slow_slu_f1(truth, answers), equal_nan=True)
    np.testing.assert_allclose(span_f1(result)[0], slow_span_f1(truth, answers), equal_nan=True)


def slow_slu_f1(truth: list[list[Slot]], answers: list[list[Slot]]) -> float:
    """Label by label as the toolkit sums it: precision, recall and their harmonic mean."""
    sums: dict[tuple[str, str], float] = {}
    for apart in (slow_wer, slow_cer):
        for gold, predicted in zip(truth, answers, strict=True):
            labels, fillers = [t for t, _ in gold], [f for _, f in gold]
            for label, filler in predicted:
                if label not in labels:
                    sums["fp", label] = sums.get(("fp", label), 0) + 1
                    continue
                nearest, lowest = 0, float("inf")
                for j, other in enumerate(labels):
                    if other == label and apart(fillers[j], filler) < lowest:
                        nearest, lowest = j, apart(fillers[j], filler)
                for kind, value in (("tp", 1.0), ("fp", lowest), ("fn", lowest)):
                    sums[kind, label] = sums.get((kind, label), 0) + value
                labels.pop(nearest)
                fillers.pop(nearest)
            for label in labels:
                sums["fn", label] = sums.get(("fn", label), 0) + 1
    return harmonic(*(sum(v for (k, _), v in sums.items() if k == kind) for kind in TERMS))


TERMS = ("tp", "fp", "fn")


def slow_span_f1(truth: list[list[Slot]], answers: list[list[Slot]]) -> float:
    tp = fp = fn = 0
    for gold, predicted in zip(truth, answers, strict=True):
        left = list(gold)
        for slot in predicted:
            if slot in left:
                left.remove(slot)
                tp += 1
            else:
                fp += 1
        fn += len(left)
    return harmonic(tp, fp, fn)


def harmonic(tp: float, fp: float, fn: float) -> float:
    if tp + fp + fn == 0:
        return float("nan")
    if tp == 0:
        return 0.0
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return 2 * precision * recall / (precision + recall)


def slow_wer(truth: str, answers: str) -> float:
    return distance(tuple(truth.split()), tuple(answers.split())) / len(truth.split())


def slow_cer(truth: str, answers: str) -> float:
    return distance(tuple(truth), tuple(answers)) / max(len(truth), len(answers))


@cache
def distance(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Levenshtein's recursion as it is defined."""
    if not a or not b:
        return len(a) + len(b)
    if a[-1] == b[-1]:
        return distance(a[:-1], b[:-1])
    return 1 + min(distance(a[:-1], b), distance(a, b[:-1]), distance(a[:-1], b[:-1]))


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_are_levenshteins(a: str, b: str) -> None:
    assert edits(a, b) == distance(tuple(a), tuple(b))
    matched = sum(block.size for block in SequenceMatcher(None, a, b).get_matching_blocks())
    assert edits(a, b) <= len(a) + len(b) - 2 * matched  # one way of editing


@pytest.mark.parametrize("name", ["slurp", "snips_slots", "restaurant8k_slots"])
def test_real_answers_are_read_as_their_slots(name: str, shared_data: Path) -> None:
    with gzip.open(shared_data / name / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    truth = [
        [(s["type"].replace("_", " "), " ".join(s["filler"].lower().split())) for s in row["slots"]]
        for row in rows
    ]
    answers = [read_slots(row["answer"]) for row in rows]
    assert all(slots is not None for slots in answers)
    result = count_slots([[(t.lower(), f) for t, f in row] for row in truth], answers)
    assert slu_f1(result) == span_f1(result) == [1]
    assert result.whole.all()
    first = [canonical(row["answer"], "slots") for row in rows]
    assert [read_slots(text) for text in first] == [tuple(sorted(slots or ())) for slots in answers]
