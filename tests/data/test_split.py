"""Splits: disjoint, whole groups, exact sizes, class proportions, the same test rows."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.data import Data, LoadedData, split
from steelyard.data.draw import draw_groups, largest_remainder
from steelyard.errors import InputError
from steelyard.types import PAIR, Question, Split, Task


def made(truth: list[int], groups: list[int] | None = None, test: int = 40) -> LoadedData:
    part = Split(tuple(Question(f"r{i}", f"text {i}") for i in range(len(truth))), np.array(truth))
    tests = Split(
        tuple(Question(f"t{i}", f"test {i}") for i in range(test)), np.arange(test) % 4 // 3
    )
    keys = tuple(str(g) for g in groups or range(len(truth)))
    names = tuple(str(k) for k in range(max(truth) + 1))
    return LoadedData("made", "classification", names, part, tests, keys)


def drawn(source: LoadedData, seed: int = 0, **sizes: Any) -> Task:
    return split(source, Data(generated="errands", **sizes), seed)


def test_largest_remainder_by_hand() -> None:
    # 7 of 50:30:20 is 3.5, 2.1, 1.4; the one left goes to the largest remainder, .5
    assert largest_remainder(np.array([50, 30, 20]), 7).tolist() == [4, 2, 1]


def test_splits_are_disjoint_stratified_and_of_the_asked_sizes() -> None:
    task = drawn(made([0] * 60 + [1] * 40), weak_train=20, strong_train=50, stratify=True)
    assert np.bincount(task.weak_train.truth).tolist() == [12, 8]
    assert np.bincount(task.strong_train.truth).tolist() == [30, 20]
    assert not set(task.weak_train.ids) & set(task.strong_train.ids)
    assert all(
        question.id == f"r{question.text.split()[1]}" for question in task.weak_train.questions
    )


def test_without_a_number_the_student_gets_all_that_remains() -> None:
    task = drawn(made([0, 1] * 50), weak_train=30)
    assert len(task.strong_train.ids) == 70


def test_order_is_random_and_depends_on_the_seed_alone() -> None:
    source = made([0] * 50 + [1] * 50)
    first, again, other = (
        drawn(source, 1, weak_train=40),
        drawn(source, 1, weak_train=40),
        drawn(source, 2, weak_train=40),
    )
    assert first.weak_train.ids == again.weak_train.ids
    assert set(first.weak_train.ids) != set(other.weak_train.ids)
    assert first.weak_train.truth.tolist() != sorted(first.weak_train.truth.tolist())


def test_test_rows_are_stratified_and_the_same_for_every_seed() -> None:
    source = made([0, 1] * 50)
    sizes = {"weak_train": 10, "max_test": 20}
    tasks = [drawn(source, seed, **sizes, stratify=True) for seed in range(3)]
    assert len({task.test.ids for task in tasks}) == 1
    assert np.bincount(tasks[0].test.truth).tolist() == [15, 5]
    assert drawn(source, weak_train=10).test.ids == source.test.ids


def test_too_few_rows_are_refused_with_the_numbers() -> None:
    with pytest.raises(InputError) as error:
        drawn(made([0, 1] * 50), weak_train=80, strong_train=30)
    assert str(error.value) == (
        "'made' has 100 train rows; `weak_train` needs 80 and `strong_train` 30. "
        "Lower `data.weak_train` or `data.strong_train`, or give more rows."
    )
    with pytest.raises(InputError, match="`weak_train` needs 99 and `strong_train` at least 2"):
        drawn(made([0, 1] * 50), weak_train=99)


def test_a_split_of_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="All 4 rows drawn for `weak_train` from 'made' are of"):
        drawn(made([0] * 99 + [1]), weak_train=4)


def test_groups_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InputError, match="No choice of whole groups gives exactly 3 rows for `we"):
        drawn(made([0, 1] * 10, [i // 2 for i in range(20)]), weak_train=3)


def test_groups_are_found_that_add_up() -> None:
    # sizes 3, 3, 2, 2, 2: four rows are 2 + 2, never 3 + anything
    groups = np.array([0] * 3 + [1] * 3 + [2] * 2 + [3] * 2 + [4] * 2)
    for seed in range(20):
        weak, strong = draw_groups(np.arange(12) % 2, groups, (4, 8), np.random.default_rng(seed))
        assert (len(weak), len(strong)) == (4, 8)
        assert not set(groups[weak]) & set(groups[strong])


@given(
    groups=st.lists(st.integers(0, 30), min_size=20, max_size=80),
    share=st.floats(0.1, 0.9),
    seed=st.integers(0, 100),
)
@settings(max_examples=80, deadline=None)
def test_no_group_is_torn_and_no_row_is_lost(groups: list[int], share: float, seed: int) -> None:
    singles = [100 + i for i in range(20)]  # so that every size can be reached
    numbers = np.array(groups + singles)
    truth = np.random.default_rng(seed).integers(0, 3, len(numbers))
    size = int(share * len(numbers))
    sizes = (size, len(numbers) - size)
    weak, strong = draw_groups(truth, numbers, sizes, np.random.default_rng(seed))
    assert (len(weak), len(strong)) == sizes
    assert sorted([*weak, *strong]) == list(range(len(numbers)))
    assert not set(numbers[weak]) & set(numbers[strong])


def test_large_groups_land_in_both_splits_in_proportion() -> None:
    groups = [i // 2 for i in range(200)] + list(range(100, 300))
    pairs = [
        sum(
            int(name[1:]) < 200
            for name in drawn(made([0, 1] * 200, groups), seed, weak_train=100).weak_train.ids
        )
        for seed in range(30)
    ]
    # 100 of 400 rows, half of them in pairs: 50 expected, standard error about 1.6
    assert 44 < np.mean(pairs) < 56


def test_a_hundred_thousand_rows_are_split_fast() -> None:
    groups = [i // 2 for i in range(60_000)] + list(range(60_000, 100_000))
    source = made([i % 5 for i in range(100_000)], groups)
    start = time.process_time()
    task = drawn(source, weak_train=10_000, strong_train=50_000)
    assert time.process_time() - start < 5
    assert (len(task.weak_train.ids), len(task.strong_train.ids)) == (10_000, 50_000)


def test_pairs_have_no_classes_that_a_split_must_have() -> None:
    questions = tuple(Question(f"q{i}", f"Why {i}?", ("a", "b")) for i in range(6))
    part = Split(questions, np.zeros(6, dtype=np.int64))
    keys = tuple(question.id for question in questions)
    pairs = LoadedData("pairs", "preference", PAIR, part, part, keys)
    assert drawn(pairs, weak_train=2).weak_train.truth.tolist() == [0, 0]
    with pytest.raises(InputError, match="are of class 'first'"):
        drawn(replace(pairs, kind="multiple_choice"), weak_train=2)


def test_without_stratification_no_truth_decides_which_rows_a_split_has() -> None:
    source = made([0, 1] * 30)
    settings = Data(train="a", test="b", weak_train=20, strong_train=30, max_test=15)
    other = replace(
        source,
        train=Split(source.train.questions, 1 - source.train.truth),
        test=Split(source.test.questions, np.arange(len(source.test.truth)) % 3 % 2),
    )
    first, second = split(source, settings, 0), split(other, settings, 0)
    for name in ("weak_train", "strong_train", "test"):
        assert getattr(first, name).ids == getattr(second, name).ids
