"""Middle students: weak labels train the first, its answers label the next, the student is last.

Each answers the questions that it was trained on, and each is trained anew from its pretrained
weights. Every training is kept in the store under what
it was made of: arms whose weak labels and first middle students are equal share those trainings.

Source: Burns et al. 2023, arXiv:2312.09390 (bootstrapping with intermediate model sizes; their
    steps in chess have fresh rows, here all have those of strong_train); strong-to-strong
    iterations are those of EleutherAI's w2s, which train a fresh student on the former's soft
    predictions of the same rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import TrainingCollapsed
from steelyard.evaluation import without_abstentions
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import StatesCache
from steelyard.selection import NothingToLearn, refuse_one_label
from steelyard.store.store import Recipe, fingerprint
from steelyard.student import Student, TrainedModel, TrainingData, TrainingOptions
from steelyard.studies.arms import Arm
from steelyard.studies.executors import free_memory
from steelyard.studies.parts import student_recipe
from steelyard.studies.run import Run
from steelyard.studies.selecting import Selected, select_labels, selected_labels
from steelyard.types import Floats, Question, Selection
from steelyard.types.arrays import leaders
from steelyard.types.task_kinds import KINDS

KIND = "middle"
"""Kind of the stored results."""
VERSION = 1
"""Raised when labels change without a change of settings."""
SEPARATOR = ", middle student "
"""Between the arm and the number in the name of a job."""
UNREADABLE = "the middle student gave no answer"


def middle_students(run: Run, arm: Arm) -> tuple[Student, ...]:
    """The middle students of an arm in their order; none of an arm without `through`."""
    study = run.study
    return tuple(study.student if isinstance(s, str) else s for s in arm.through)


def middle_jobs(run: Run) -> list[list[tuple[int, str]]]:
    """Jobs (seed, name) of all first middle students, of all second ones, and so on."""
    arms = [arm for arm in run.study.all_arms if run.folds is None or arm.role == "arm"]
    longest = max((len(arm.through) for arm in arms), default=0)
    return [
        [
            (seed, f"{arm.name}{SEPARATOR}{number}")
            for arm in arms
            if len(arm.through) >= number
            for seed in run.study.seed_list
        ]
        for number in range(1, longest + 1)
    ]


def do_middle_job(run: Run, seed: int, name: str) -> None:
    """Train the middle student of a job, unless there is nothing to train it on."""
    arm, _, number = name.partition(SEPARATOR)
    labels_after(run, seed, run.study.arm(arm), int(number))


def arm_labels_of(run: Run, seed: int, arm: Arm) -> Selection:
    """What the student of an arm is trained on: the selection, or the last middle student's labels.

    Raises:
        NothingToLearn: nothing is kept, or one class alone, or a middle student's training
            collapsed.
    """
    if not arm.through:
        return select_labels(run, seed, arm)[0]
    labels = labels_after(run, seed, arm, len(arm.through))
    if labels.selection is None:
        raise NothingToLearn(f"arm `{arm.name}`, seed {seed}: {labels.reason}")
    return labels.selection


def labels_after(run: Run, seed: int, arm: Arm, number: int) -> Selected:
    """The labels after so many middle students; after 0 the arm's selection of weak labels.

    Labels of a middle student are on all questions of strong_train, each with weight 1, or 0 where
    it gave no answer.
    """
    if number == 0:
        return selected_labels(run, seed, arm)
    return run.once(
        ("labels after", seed, arm.name, number), lambda: _label(run, seed, arm, number)
    )


def _label(run: Run, seed: int, arm: Arm, number: int) -> Selected:
    before = labels_after(run, seed, arm, number - 1)
    if before.selection is None:
        return before
    kept = _train(run, seed, arm, number, before.selection)
    if "collapsed" in kept:
        reason = f"middle student {number}: {kept['collapsed']}"
        return before._replace(selection=None, reason=reason)
    task, hard = run.task(seed), arm.through_labels == "hard"
    labels = labels_of(task.strong_train.ids, np.asarray(kept["predictions"]), hard=hard)
    try:
        if not labels.kept:
            raise NothingToLearn("it answered no question; give another student in `through`.")
        if hard and KINDS[run.study.task].has_classes:  # soft labels differ in how probable it is
            refuse_one_label(labels, task.classes)
    except NothingToLearn as error:
        reason = f"middle student {number}: {error}"
        return before._replace(selection=None, reason=reason)
    return before._replace(selection=labels)


def labels_of(ids: Sequence[str], probabilities: Floats, *, hard: bool = False) -> Selection:
    """A middle student's answers as labels for the next one.

    >>> import numpy as np
    >>> labels_of(("a", "b"), np.array([[0.6, 0.2], [0.0, 0.0]])).targets.round(2).tolist()
    [[0.75, 0.25], [0.5, 0.5]]

    Args:
        ids: names of N examples.
        probabilities: (N, K), >= 0; a row of zeros is no answer, and gets weight 0.
        hard: whether labels are the most probable answers, of k tied ones 1/k each.
    """
    table = leaders(probabilities) if hard else probabilities
    mass = table.sum(axis=1, keepdims=True)
    targets = np.where(mass > 0, table / np.where(mass > 0, mass, 1.0), 1 / table.shape[1])
    answered = mass[:, 0] > 0
    reasons = tuple("" if read else UNREADABLE for read in answered)
    return Selection(tuple(ids), targets, answered.astype(np.float64), reasons)


def middle_trainings(run: Run) -> dict[str, int]:
    """Optimizer steps of every middle training by its name in the store."""
    return {
        _recipe(run, seed, arm, number, labels.selection).name: _steps(
            run, arm, number, labels.selection
        )
        for seed in run.study.seed_list
        for arm in run.study.all_arms
        for number in range(1, len(arm.through) + 1)
        if (labels := labels_after(run, seed, arm, number - 1)).selection is not None
    }


def _train(run: Run, seed: int, arm: Arm, number: int, labels: Selection) -> dict[str, Any]:
    """The stored answers of a middle student to the questions of strong_train."""
    student, task = middle_students(run, arm)[number - 1], run.task(seed)
    steps, questions = _steps(run, arm, number, labels), task.strong_train.questions
    num_classes = labels.targets.shape[1]

    def make(work: Path) -> dict[str, Any]:
        states = run.states(student)
        options = TrainingOptions(seed, steps, Checkpoints(work), states)
        data = TrainingData(run.study.task, task.classes, questions, labels.targets, labels.weights)
        try:
            trained = student.fit(data, options)
        except TrainingCollapsed as error:
            return {"collapsed": str(error)}
        predictions = _answers(trained, questions, states, num_classes)
        del trained
        free_memory()
        return {"predictions": predictions}

    recipe = _recipe(run, seed, arm, number, labels)
    return dict(run.store.keep(f"seed-{seed}/{arm.name}/middle-{number}", recipe, make))


def _steps(run: Run, arm: Arm, number: int, labels: Selection) -> int:
    """As of an arm's student: over its kept rows, or with `match: steps` over all."""
    matched = run.study.match == "steps"
    rows = len(labels.ids) if matched else labels.kept
    return middle_students(run, arm)[number - 1].planned_steps(rows)


def _recipe(run: Run, seed: int, arm: Arm, number: int, labels: Selection) -> Recipe:
    student, task = middle_students(run, arm)[number - 1], run.task(seed)
    model = student.pretrained
    inputs = {
        "questions": run.questions(seed, "strong_train"),
        "targets": fingerprint((labels.targets, labels.weights)),
        "model": "" if model is None else run.identity(model),
        "kind": fingerprint(run.study.task),
        "classes": fingerprint(task.classes),
    }
    recipe = student_recipe(student, seed, _steps(run, arm, number, labels), inputs)
    return replace(recipe, kind=KIND, version=recipe.version + VERSION)


def _answers(
    model: TrainedModel,
    questions: Sequence[Question],
    states: StatesCache | None,
    num_classes: int,
) -> Floats:
    """Probabilities (N, K): a row of zeros where an answer cannot be read, 0 beyond the options."""
    probs = model.predict(questions, states).probs
    assert probs is not None  # of closed questions: the settings refuse others
    table = without_abstentions(probs, num_classes)
    padded = np.zeros((len(questions), num_classes))
    padded[:, : table.shape[1]] = table
    return padded
