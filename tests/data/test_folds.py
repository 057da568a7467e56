"""Folds of the labelled rows."""

import numpy as np

from steelyard.data import hold_out
from steelyard.data.folds import fold_numbers
from steelyard.types import Question, Split, Task


def part(names: list[str]) -> Split:
    questions = tuple(Question(f"q{i}", name) for i, name in enumerate(names))
    return Split(questions, np.arange(len(names)) % 2)


def test_each_row_is_held_out_once_and_no_other_split_changes() -> None:
    labelled, others = part([f"text {i}" for i in range(23)]), part(["a", "b"])
    task = Task("t", "classification", ("no", "yes"), labelled, others, others)
    held_out = []
    for fold in range(5):
        tried = hold_out(task, fold, 5, seed=3)
        assert tried.strong_train is others
        assert len(tried.test.ids) in (4, 5)
        assert sorted((*tried.test.ids, *tried.weak_train.ids)) == sorted(labelled.ids)
        held_out += tried.test.ids
    assert sorted(held_out) == sorted(labelled.ids)


def test_equal_texts_are_held_out_together() -> None:
    numbers = fold_numbers(("a", "b", "a", "c", "b", "a"), 3, 0)
    assert numbers[0] == numbers[2] == numbers[5]
    assert numbers[1] == numbers[4]
    assert len(set(numbers.tolist())) == 3
