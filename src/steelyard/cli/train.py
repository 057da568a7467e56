"""`steelyard train`: train a student on selected labels and save it as a model."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from steelyard.cli.options import Settings
from steelyard.errors import ConfigError, InputError
from steelyard.studies.progress import Stopwatch

if TYPE_CHECKING:
    from steelyard.types import Question, Selection
    from steelyard.types.task_kinds import Kind

EXAMPLE = ("steelyard train study.yaml --selection reweigh --out model", "docs/study.md")
PERIOD = 5.0  # seconds between lines of progress


class TrainingSet(NamedTuple):
    """What a student is trained on."""

    student: Any  # its settings
    kind: "Kind"
    classes: tuple[str, ...]
    questions: "tuple[Question, ...]"
    selection: "Selection"


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
            "with a study file, the name of one of its arms.",
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
    from steelyard.student import TrainedLanguageModel, TrainedPreferenceStudent
    from steelyard.student.saved import check_free, save_model

    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`--seed` must be from 0 to {MAX_SEED}, got {seed}.")
    check_free(out)
    if data.suffix in (".yaml", ".yml"):
        training_set = _from_study(data, selection, seed, set_)
    else:
        training_set = _from_file(data, selection, student)
    classes, size = training_set.classes, len(training_set.questions)
    answers = f"{len(classes)} answers" if classes else "open answers"
    print(f"training on {training_set.selection.kept} of {size} examples, {answers}", flush=True)
    scratch = out.with_name(f"{out.name}.unfinished")
    fitted = _fit(training_set, seed, scratch, watch)
    if isinstance(fitted, TrainedLanguageModel | TrainedPreferenceStudent) and fitted.left_out:
        print(f"note: {fitted.left_out} examples were dropped, because their answer was too long")
    save_model(fitted, out, training_set.kind, classes)
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"model: {out}")


def _fit(training_set: TrainingSet, seed: int, scratch: Path, watch: Stopwatch) -> Any:
    """Train, with checkpoints in `scratch` under a name made of all that decides the result."""
    from steelyard.models.checkpoints import Checkpoints
    from steelyard.models.load import identity
    from steelyard.progress import steps_reported_to
    from steelyard.store.store import Recipe, fingerprint, library_versions
    from steelyard.studies.training import told

    student, selection = training_set.student, training_set.selection
    recipe = Recipe(
        kind="training",
        version=student.version,
        settings={**student.model_dump(mode="json"), "seed": seed},
        inputs={
            "model": identity(student.pretrained),
            "questions": fingerprint(training_set.questions),
            "targets": fingerprint((selection.targets, selection.weights)),
            "classes": fingerprint(training_set.classes),
        },
        libraries=library_versions(*student.libraries),
    )
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        if done == total or watch.seconds - last >= PERIOD:
            last = watch.seconds
            watch.line(f"step {done}/{total}")

    with steps_reported_to(show):
        return student.fit(
            training_set.questions,
            selection.targets,
            selection.weights,
            seed=seed,
            checkpoints=Checkpoints(scratch / recipe.name),
            **told(student, training_set.kind, training_set.classes),
        )


def _from_study(data: Path, selection: str, seed: int, overrides: list[str]) -> TrainingSet:
    """The training set of an arm of a study, or a selection file about a study's questions."""
    from steelyard.io.rows import READERS
    from steelyard.store.store import Store
    from steelyard.studies.config import read_study
    from steelyard.studies.run import Run

    study = read_study(data, overrides)
    run = Run(study, Store(Path("runs") / study.name / "store"), data.parent)
    _check_saved(study.student)
    task = run.task(seed)
    if Path(selection).is_file():
        questions = task.strong_train.questions
        return _selected(selection, study.student, study.task, questions, task.classes)
    if selection.lower().endswith(tuple(READERS)):
        raise InputError(f"{selection} does not exist; give a selection file, or an arm.")
    questions, chosen = run.lesson(seed, study.arm(selection).name)
    return TrainingSet(study.student, study.task, task.classes, questions, chosen)


def _from_file(data: Path, selection: str, student: str) -> TrainingSet:
    """A selection file about the questions of a file."""
    from steelyard.data import read_questions
    from steelyard.types import PAIR

    settings, kind = _student(student, data)
    _check_saved(settings)
    questions = read_questions(kind, data)
    options = max(len(question.choices) for question in questions)
    numbers = PAIR if kind == "preference" else tuple(str(i) for i in range(options))
    return _selected(selection, settings, kind, questions, numbers or None)


def _selected(
    selection: str,
    student: Any,
    kind: "Kind",
    questions: "tuple[Question, ...]",
    classes: tuple[str, ...] | None,
) -> TrainingSet:
    """Questions with a selection file; open ones take the file's answers as candidates."""
    from steelyard.selection.selection_file import read_open_selection, read_selection

    if kind == "generation":
        chosen, questions = read_open_selection(Path(selection), questions, student.answer_format)
        return TrainingSet(student, kind, (), questions, chosen)
    chosen, names = read_selection(Path(selection), questions, classes)
    return TrainingSet(student, kind, names, questions, chosen)


def _task_of(student: Any, data: Path) -> "Kind":
    """The task of a kind of student; of several tasks the one that the data's columns show."""
    from steelyard.io.rows import read_rows

    if student not in ("language_model", "chooser"):
        return "preference" if student == "preference" else "classification"
    _, row = next(iter(read_rows(data)))
    if "chosen" in row and "choices" not in row:
        return "preference"
    if "choices" in row or student == "chooser":
        return "multiple_choice"
    return "generation" if "prompt" in row else "classification"


def _check_saved(student: Any) -> None:
    """Refuse before training what cannot be saved after it."""
    if student.kind == "probe":
        raise ConfigError("A probe is not saved as a model; train a `classifier` student.")


def _student(text: str, data: Path) -> "tuple[Any, Kind]":
    from steelyard.io.yaml_file import read_yaml
    from steelyard.studies.config import make_study

    settings = read_yaml(text, "--student")
    if not isinstance(settings, dict):
        raise ConfigError("`--student` takes YAML such as '{kind: classifier, model: minilm}'.")
    kind = _task_of(settings.get("kind"), data)
    study = {
        "task": kind,
        "data": {"generated": "errands"},
        "supervisors": [{"kind": "votes", "path": "none"}],
        "student": settings,
    }
    return make_study(study, "--student").student, kind
