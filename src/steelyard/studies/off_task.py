"""Other tasks that every student is asked beside its own: what does its training harm?"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from steelyard.data import read_class_names, read_labelled, row_groups, take
from steelyard.errors import InputError
from steelyard.store.store import fingerprint
from steelyard.student import TrainedModel, UntrainedStudent
from steelyard.studies.parts import student_recipe
from steelyard.types import Ints, Predictions, Split
from steelyard.types.task_kinds import KINDS, Kind

if TYPE_CHECKING:
    from steelyard.studies.run import Run

FEWEST = 10
"""Independent rows that an interval needs."""
PART = "off_task."
"""Beginning of the names of these answers among the parts of a stored student."""


class OffTask(BaseModel):
    """The test rows of another task. The score is accuracy; ties count in expectation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: str = Field(min_length=1)
    """File of the test rows, at least 10."""
    task: Kind | None = None
    """What its rows ask; null is the study's task. Open answers have no score here."""
    columns: dict[str, str] = {}
    """Column names of the file, by field, as `data.columns`."""
    max_test: int | None = Field(None, ge=FEWEST)
    """Largest number of rows, the first ones; null takes all."""


@dataclass(frozen=True, eq=False)
class OffTaskRows:
    """Another task's test rows."""

    kind: Kind
    classes: tuple[str, ...]  # names of the answers
    split: Split
    groups: Ints  # (N,), rows of one number are resampled together


def off_task_rows(run: "Run") -> dict[str, OffTaskRows]:
    """The rows of each other task by its name; none while arms are tried on folds.

    Raises:
        InputError: a file does not fit, or has fewer than 10 independent rows.
    """
    return run.once("off_task", lambda: _read_all(run)) if run.folds is None else {}


def _read_all(run: "Run") -> dict[str, OffTaskRows]:
    return {name: _read(run, name, asked) for name, asked in run.study.off_task.items()}


def _read(run: "Run", name: str, asked: OffTask) -> OffTaskRows:
    path, kind = run.base / asked.test, asked.task or run.study.task
    classes: tuple[str, ...] = ()
    if KINDS[kind].has_classes:
        classes = read_class_names(kind, path, asked.columns)
    split = read_labelled(kind, path, classes, asked.columns)
    split = take(split, range(min(len(split.truth), asked.max_test or len(split.truth))))
    groups = row_groups(split)
    if len(set(groups.tolist())) < FEWEST:
        raise InputError(
            f"`off_task.{name}`: {path.name} has {len(set(groups.tolist()))} independent rows, and "
            f"an interval needs {FEWEST}; give more rows."
        )
    return OffTaskRows(kind, classes or KINDS[kind].names(split.questions), split, groups)


def off_task_inputs(run: "Run") -> dict[str, str]:
    """Fingerprints of what students are asked beside their task; empty for nothing."""
    rows = off_task_rows(run)
    asked = {name: (part.kind, part.classes, part.split.questions) for name, part in rows.items()}
    return {"off_task": fingerprint(asked)} if asked else {}


def off_task_answers(run: "Run", model: TrainedModel) -> dict[str, Predictions]:
    """A student's answers to each other task, by the names of stored parts."""
    student, answers = run.study.student, {}
    for name, rows in off_task_rows(run).items():
        other = model.on_task(rows.kind, rows.classes)
        probs = other.predict(rows.split.questions).probs
        assert probs is not None  # open tasks are refused
        answers[PART + name] = Predictions(student.kind, rows.split.ids, probs)
    return answers


def answers_before(run: "Run") -> dict[str, Predictions]:
    """The same before any training: of a student with a new head even probabilities."""
    student, source = run.study.student, run.source
    model = "" if student.pretrained is None else run.identity(student.pretrained)
    recipe = student_recipe(student, 0, 0, {"model": model, **off_task_inputs(run)})

    def make(_: Path) -> dict[str, Any]:
        if student.answers_untrained:
            return off_task_answers(run, student.untrained(run.study.task, source.classes))
        return off_task_answers(run, UntrainedStudent(student, len(source.classes)))

    return run.store.keep("off_task", replace(recipe, kind="off_task"), make)
