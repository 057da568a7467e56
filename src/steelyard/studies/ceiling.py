"""How long the ceiling is trained: until held-out truth of strong_train no longer improves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.data import take
from steelyard.errors import InputError
from steelyard.evaluation import TaskMetric
from steelyard.models.checkpoints import Checkpoints
from steelyard.store.store import fingerprint
from steelyard.student import Student, TrainingData, TrainingOptions
from steelyard.studies.grading import Answers, bind_metric, grade
from steelyard.studies.parts import student_recipe
from steelyard.studies.references import known_rows
from steelyard.studies.run import Run
from steelyard.types import Split

CHOICE = "ceiling length"
"""Name of the job that chooses."""
PATIENCE = 2
"""Lengths in a row that are not better before the search ends."""


@dataclass(frozen=True)
class CeilingLength:
    """Epochs of the ceiling, and the held-out score of each length that was tried."""

    epochs: int
    tried: tuple[tuple[int, float], ...] = ()


def has_choice(run: Run) -> bool:
    """Whether several lengths are tried: of students that have `epochs`."""
    return "epochs" in type(run.study.student).model_fields and len(_candidates(run)) > 1


def ceiling_length(run: Run) -> CeilingLength | None:
    """The ceiling's length in every seed, chosen in the first; None of students without epochs.

    Lengths are tried from the shortest, on four fifths of strong_train with its truth, and scored
    on the rest. Beyond the student's own, two in a row that are not better than the best end the
    search. No arm learns anything of this truth.
    """
    if "epochs" not in type(run.study.student).model_fields:
        return None
    return run.once("ceiling length", lambda: _choose(run))


def ceiling_steps(run: Run, rows: int) -> int:
    """Optimizer steps of the ceiling on so many rows."""
    length = ceiling_length(run)
    return _student(run, length.epochs if length else None).planned_steps(rows)


def _candidates(run: Run) -> list[int]:
    given = run.study.ceiling_epochs
    return sorted({*given, _epochs(run)} if len(given) != 1 else given)


def _epochs(run: Run) -> int:
    """The student's own length."""
    training = run.study.student.training
    return 1 if training is None else training.epochs


def _choose(run: Run) -> CeilingLength:
    candidates = _candidates(run)
    parts = _parts(run)
    if len(candidates) == 1 or parts is None:
        return CeilingLength(candidates[0] if len(candidates) == 1 else _epochs(run))
    tried: list[tuple[int, float]] = []
    best = 0
    for epochs in candidates:
        tried.append((epochs, _held_out_score(run, epochs, *parts)))
        if _quality(run, tried[-1][1]) > _quality(run, tried[best][1]):
            best = len(tried) - 1
        if epochs >= _epochs(run) and len(tried) - 1 - best >= PATIENCE:
            break
    return CeilingLength(tried[best][0], tuple(tried))


def _parts(run: Run) -> tuple[Split, Split] | None:
    """Four fifths of strong_train and the rest; None where either is too small to tell anything."""
    seed = run.study.seed_list[0]
    split = run.task(seed).strong_train
    rows = np.random.default_rng([seed, 5]).permutation(len(split.truth))
    cut = len(rows) - len(rows) // 5
    trained_on, held_out = take(split, np.sort(rows[:cut])), take(split, np.sort(rows[cut:]))
    one_class = not split.reference_texts and len(np.unique(trained_on.truth)) < 2
    return None if one_class or len(held_out.truth) < 2 else (trained_on, held_out)


def _held_out_score(run: Run, epochs: int, trained_on: Split, held_out: Split) -> float:
    """The study's metric on held-out rows after so many epochs; nan where it is not defined."""
    seed, task = run.study.seed_list[0], run.task(run.study.seed_list[0])
    student = _student(run, epochs)
    rows = known_rows(run, trained_on, max(task.num_classes, 1))
    data = TrainingData(run.study.task, task.classes, *rows[:3])
    steps = student.planned_steps(len(trained_on.truth))
    model = student.pretrained
    inputs = {
        "questions": fingerprint(tuple(data.questions)),
        "targets": fingerprint((data.targets, data.weights)),
        "asked": fingerprint((held_out.questions, held_out.truth, held_out.reference_texts)),
        "metric": fingerprint(_metric_settings(run)),
        "classes": fingerprint(data.classes),
        "model": "" if model is None else run.identity(model),
    }
    recipe = student_recipe(student, seed, steps, inputs)

    def make(work: Path) -> dict[str, Any]:
        options = TrainingOptions(seed, steps, Checkpoints(work), run.states(student))
        answers = student.fit(data, options).predict(held_out.questions, options.states)
        texts_or_probs: Answers = answers.texts if answers.probs is None else answers.probs
        return {"record": {"score": _score(run, held_out, texts_or_probs)}}

    role = f"seed-{seed}/ceiling-{epochs}-epochs/student"
    return float(run.store.keep(role, recipe, make)["record"]["score"])


def _score(run: Run, held_out: Split, answers: Answers) -> float:
    table = grade(run, held_out, answers, run.study.metric_name)
    try:
        metric = bind_metric(run, run.study.metric_name, held_out)
    except InputError:  # the held-out rows lack a class that the metric names
        return float("nan")
    return float(metric.score(held_out.truth, table, None)[0])


def _metric_settings(run: Run) -> Any:
    """The metric's name, with its settings where it has any."""
    metric = run.study.metric
    return metric.model_dump() if isinstance(metric, TaskMetric) else run.study.metric_name


def _quality(run: Run, score: float) -> float:
    """A score in the direction in which higher is better; undefined is worst."""
    if score != score:
        return -float("inf")
    test = run.task(run.study.seed_list[0]).test
    return -score if bind_metric(run, run.study.metric_name, test).lower_is_better else score


def _student(run: Run, epochs: int | None) -> Student:
    student = run.study.student
    return student if epochs is None else student.model_copy(update={"epochs": epochs})
