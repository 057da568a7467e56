"""`steelyard train`: train a student on selected labels and save it as a model."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelyard.cli.options import Settings
from steelyard.errors import ConfigError, InputError
from steelyard.studies.progress import Stopwatch

if TYPE_CHECKING:
    from steelyard.student import Student, TrainedModel, TrainingData, TrainingOptions
    from steelyard.studies.run import Run
    from steelyard.types import Question
    from steelyard.types.task_kinds import Kind

EXAMPLE = ("steelyard train study.yaml --selection reweigh --out model", "docs/study.md")
PERIOD = 5.0  # seconds between lines of progress


def train(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY.yaml|DATA", help="A study file, or a file of questions to train on."
        ),
    ],
    selection: Annotated[
        str,
        typer.Option(
            metavar="FILE|ARM",
            help="The labels to train on: a file with id, a label or targets, and a weight; or, "
            "with a study file, the name of one of its arms, which is trained as in the study.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder to save the model in; it must be empty."),
    ],
    student: Annotated[
        str,
        typer.Option(
            metavar="YAML", help="The settings of the student, where DATA is no study file."
        ),
    ] = "{kind: classifier, model: minilm}",
    seed: Annotated[
        int, typer.Option(metavar="N", help="Random seed for the data splits and for training.")
    ] = 0,
    set_: Settings = [],  # noqa: B006
) -> None:
    """Train a student on selected labels and save the model in Hugging Face's format.

    Training saves checkpoints: after a stop, the same command resumes from the last one.
    """
    watch = Stopwatch()
    watch.line(f"loading libraries and {data.name}")
    from steelyard.io.yaml_file import MAX_SEED
    from steelyard.student.saved import check_free, save_model

    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`--seed` must be from 0 to {MAX_SEED}, got {seed}.")
    try:
        check_free(out)
    except InputError as error:
        raise InputError(f"--out: {error}") from error
    if data.suffix in (".yaml", ".yml"):
        plan = _from_study(data, selection, seed, set_)
    else:
        plan = _from_file(data, selection, student)
    training = plan.training
    kept = int((training.weights > 0).sum())
    answers = f"{len(training.classes)} answers" if training.classes else "open answers"
    print(f"training on {kept} of {len(training.questions)} examples, {answers}", flush=True)
    scratch = out.with_name(f"{out.name}.unfinished")
    trained = _fit(plan, seed, scratch, watch)
    if dropped := trained.training_record().get("dropped"):
        print(f"note: {dropped} examples were dropped, because their answer was too long")
    save_model(trained, out, training.kind, training.classes)
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"model: {out}")


@dataclass(frozen=True)
class _Plan:
    """A student and what it is trained on; of an arm, also its steps and later stages."""

    student: "Student"
    training: "TrainingData"
    steps: int | None = None
    stage: str = ""  # fingerprint of the preference stage
    fit: "Callable[[TrainingOptions], TrainedModel] | None" = None  # None: `student.fit`


def _fit(plan: _Plan, seed: int, scratch: Path, watch: Stopwatch) -> "TrainedModel":
    """Train, with checkpoints in `scratch` under a name made of all that decides the result."""
    from steelyard.models.checkpoints import Checkpoints
    from steelyard.models.load import identity
    from steelyard.progress import steps_reported_to
    from steelyard.store.store import Recipe, fingerprint, library_versions
    from steelyard.student import TrainingOptions

    student, training = plan.student, plan.training
    recipe = Recipe(
        kind="training",
        version=student.version,
        settings={**student.model_dump(mode="json"), "seed": seed, "steps": plan.steps},
        inputs={
            "model": "" if student.pretrained is None else identity(student.pretrained),
            "questions": fingerprint(tuple(training.questions)),
            "targets": fingerprint((training.targets, training.weights)),
            "classes": fingerprint(training.classes),
            "objective": fingerprint(training.objective),
            "preference": plan.stage,
        },
        libraries=library_versions(*student.libraries),
    )
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        if done == total or watch.seconds - last >= PERIOD:
            last = watch.seconds
            watch.line(f"step {done}/{total}")

    checkpoints = Checkpoints(scratch / recipe.name)
    options = TrainingOptions(seed=seed, steps=plan.steps or None, checkpoints=checkpoints)
    with steps_reported_to(show):
        return student.fit(training, options) if plan.fit is None else plan.fit(options)


def _from_study(data: Path, selection: str, seed: int, overrides: list[str]) -> _Plan:
    """The student of a study with a selection file, or one of its arms as the study trains it."""
    from steelyard.io.rows import READERS
    from steelyard.store.store import Store
    from steelyard.studies.config import read_study
    from steelyard.studies.run import Run

    study = read_study(data, overrides)
    student = study.student
    student.check_saved()
    run = Run(study, Store(Path("runs") / study.name / "store"), data.parent)
    if not Path(selection).is_file():
        if selection.lower().endswith(tuple(READERS)):
            raise InputError(f"{selection} does not exist; give a selection file, or an arm.")
        return _of_arm(run, seed, selection)
    task = run.task(seed)
    questions = task.strong_train.questions
    return _Plan(student, _selected(selection, student, study.task, questions, task.classes))


def _of_arm(run: "Run", seed: int, name: str) -> _Plan:
    """An arm, a reference or the ceiling with the objective, steps and stages of the study."""
    from steelyard.studies.preferring import stage_fingerprint
    from steelyard.studies.training import (
        CEILING,
        fit_student,
        nothing_to_learn,
        planned_steps,
        stage_of,
        training_set,
    )

    if name not in (CEILING, *run.study.reference_names):
        name = run.study.arm(name).name
    if reason := nothing_to_learn(run, seed, name):
        raise InputError(f"`{name}` cannot be trained with seed {seed}: {reason}")
    training = training_set(run, seed, name)[0]
    stage = stage_of(run, name)
    return _Plan(
        run.study.student,
        training,
        planned_steps(run, seed, name, training),
        "" if stage is None else stage_fingerprint(run, seed, stage),
        lambda options: fit_student(run, seed, name, training, options)[0],
    )


def _from_file(data: Path, selection: str, student: str) -> _Plan:
    """A student of its settings, and a selection file about the questions of a file."""
    from steelyard.data import read_questions
    from steelyard.types.task_kinds import KINDS

    settings, kind = _student(student, data)
    settings.check_saved()
    questions = read_questions(kind, data)
    names = KINDS[kind].names(questions)
    return _Plan(settings, _selected(selection, settings, kind, questions, names or None))


def _selected(
    selection: str,
    student: "Student",
    kind: "Kind",
    questions: "tuple[Question, ...]",
    classes: tuple[str, ...] | None,
) -> "TrainingData":
    """Questions with a selection file; open ones take the file's answers as candidates."""
    from steelyard.selection.selection_file import read_open_selection, read_selection
    from steelyard.student import TrainingData
    from steelyard.types.task_kinds import KINDS

    if KINDS[kind].is_open:
        chosen, questions = read_open_selection(Path(selection), questions, student.spelling)
        return TrainingData(kind, (), questions, chosen.targets, chosen.weights)
    chosen, names = read_selection(Path(selection), questions, classes)
    return TrainingData(kind, names, questions, chosen.targets, chosen.weights)


def _kind(student: str, data: Path) -> "Kind":
    """The task of a kind of student; of several tasks the one that the data's columns show."""
    from steelyard.io.rows import read_rows
    from steelyard.student import STUDENTS
    from steelyard.types.task_kinds import recognise

    forms = STUDENTS[student].answer_forms if student in STUDENTS else ("classes",)
    if len(forms) == 1:
        return recognise((), forms=forms) or "classification"
    _, row = next(iter(read_rows(data)))
    default: Kind = "classification" if "classes" in forms else "multiple_choice"
    return recognise(row, forms=forms) or default  # reading the rows names the missing column


def _student(text: str, data: Path) -> "tuple[Student, Kind]":
    from steelyard.io.yaml_file import read_yaml
    from steelyard.studies.config import make_study

    settings = read_yaml(text, "--student")
    if not isinstance(settings, dict):
        raise ConfigError("`--student` takes YAML such as '{kind: classifier, model: minilm}'.")
    kind = _kind(str(settings.get("kind")), data)
    study = {
        "task": kind,
        "data": {"generated": "errands"},
        "supervisors": [{"kind": "votes", "path": "none"}],
        "student": settings,
    }
    return make_study(study, "--student").student, kind
