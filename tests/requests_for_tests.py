"""Short ways to ask supervisors and train students in tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from steelyard.student import TrainingData, TrainingOptions
from steelyard.supervision import BaseSupervisor, VoteRequest
from steelyard.types import PAIR, Floats, Question, Split, Votes
from steelyard.types.task_kinds import Kind


def kind_of(questions: Sequence[Question], classes: tuple[str, ...]) -> Kind:
    """What questions ask: options of their own, classes for all, or neither."""
    if questions and questions[0].choices:
        return "preference" if classes == PAIR else "multiple_choice"
    return "classification" if classes else "generation"


def vote(
    supervisor: BaseSupervisor,
    labelled: Split | None,
    asked: Sequence[Sequence[Question]],
    classes: tuple[str, ...],
    *,
    seed: int = 0,
    replies: Any = None,
) -> list[Votes]:
    """Votes of a supervisor on each list of questions."""
    labelled = labelled or Split((), np.zeros(0, dtype=np.int64))
    questions = labelled.questions or [question for part in asked for question in part]
    kind = kind_of(questions, classes)
    return supervisor.vote(VoteRequest(kind, classes, tuple(asked), labelled, seed, replies))


def fit(
    student: Any,
    questions: Sequence[Question],
    targets: Floats,
    weights: Floats,
    *,
    kind: Kind | None = None,
    classes: tuple[str, ...] = (),
    **given: Any,
) -> Any:
    """A student trained on questions with targets and weights; options and data by their names."""
    names = classes or tuple(str(k) for k in range(targets.shape[-1]))
    kind = kind or kind_of(questions, names)
    parts = ("objective", "per_supervisor", "token_targets", "opposed")
    data = {name: given.pop(name) for name in parts if name in given}
    training = TrainingData(kind, classes, questions, targets, weights, **data)
    return student.fit(training, TrainingOptions(**given))
