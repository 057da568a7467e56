"""Inherited, corrected and new errors by hand."""

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.evaluation.imitation import imitation


def test_shares_by_hand() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    teacher = np.array([1, 1, 2, 2, 1, 1, 1, 1, 1, -1])  # wrong 4, right 5, no answer 1
    student = np.array([1, 0, 1, -1, 1, 1, 0, 1, -1, 1])
    found = imitation(student, teacher, truth)
    # of the four errors: the first repeated, the second corrected, the third and fourth neither
    assert (found.inherited, found.corrected, found.teacher_wrong) == (0.25, 0.25, 4)
    assert found.new == 2 / 5


def test_a_copy_inherits_everything_and_the_truth_corrects_everything() -> None:
    rng = np.random.default_rng(0)
    truth, teacher = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    copy, right = imitation(teacher, teacher, truth), imitation(truth, teacher, truth)
    assert (copy.inherited, copy.corrected, copy.new) == (1.0, 0.0, 0.0)
    assert (right.inherited, right.corrected, right.new) == (0.0, 1.0, 0.0)


def test_a_teacher_without_errors_has_none_to_inherit() -> None:
    truth = np.array([0, 1])
    found = imitation(truth, truth, truth)
    assert (found.inherited, found.corrected, found.new) == (None, None, 0.0)
    with pytest.raises(InputError, match="one entry per item"):
        imitation(truth, truth, truth[:1])
