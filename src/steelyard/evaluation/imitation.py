"""Whose errors a student makes: its teacher's, or its own."""

from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.types import Ints


@dataclass(frozen=True)
class Imitation:
    """Shares of the items; None where the teacher is never wrong, or never right."""

    inherited: float | None  # of the teacher's errors, the student gives the same wrong answer
    corrected: float | None  # of the teacher's errors, the student is right
    new: float | None  # of the items where the teacher is right, the student is wrong
    teacher_wrong: int  # items


def imitation(student: Ints, teacher: Ints, truth: Ints) -> Imitation:
    """What becomes of a teacher's errors. A negative answer is no answer: it is never right.

    Items that the teacher does not answer are not counted. The rest of its errors, 1 - inherited -
    corrected, the student answers wrong in another way, or not at all.

    Args:
        student: (N,), class numbers; negative is none.
        teacher: (N,), the same.
        truth: (N,), class numbers.

    >>> imitation(np.array([1, 0, 2, 0, 1]), np.array([1, 1, 1, 0, 0]), np.array([0, 0, 0, 0, 0]))
    ... # doctest: +ELLIPSIS
    Imitation(inherited=0.333..., corrected=0.333..., new=0.5, teacher_wrong=3)

    Source: Burns et al. 2023, arXiv:2312.09390, section 5.1 (agreement where the supervisor is
    right and where it is wrong).
    """
    if not student.shape == teacher.shape == truth.shape:
        raise InputError(
            "`student`, `teacher` and `truth` must have one entry per item, got "
            f"{student.shape}, {teacher.shape} and {truth.shape}."
        )
    answered = teacher >= 0
    wrong, right = answered & (teacher != truth), answered & (teacher == truth)
    return Imitation(
        inherited=_share(student[wrong] == teacher[wrong]),
        corrected=_share(student[wrong] == truth[wrong]),
        new=_share(student[right] != truth[right]),
        teacher_wrong=int(wrong.sum()),
    )


def _share(hits: np.ndarray) -> float | None:
    return float(hits.mean()) if len(hits) else None
