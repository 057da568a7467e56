"""`steelyard train`: train a student on selected labels and save it as a model."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from steelyard.cli.options import Settings
from steelyard.cli.student_option import student_of
from steelyard.errors import ConfigError, InputError
from steelyard.studies.progress import Stopwatch

if TYPE_CHECKING:
    from steelyard.models.lm.save_lm import SavedWeights
    from steelyard.student import Student, TrainedModel, TrainingData, TrainingOptions
    from steelyard.student.model_card import LabelSource
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
    save: Annotated[
        str,
        typer.Option(
            metavar="merged|adapter|both",
            help="What is saved of a language model with adapters: merged weights in the type "
            "of the checkpoint, the adapter alone (PEFT), or both, the adapter in `adapter`.",
        ),
    ] = "merged",
    push_to_hub: Annotated[
        str,
        typer.Option(
            metavar="REPO",
            help="Also upload the folder to this repository of the Hugging Face Hub, such as "
            "NAME/MODEL; made if it is missing.",
        ),
    ] = "",
    set_: Settings = [],  # noqa: B006
) -> None:
    """Train a student on selected labels and save the model in Hugging Face's format.

    README.md in the folder says where the labels come from, the exact prompt, and how to load it.
    Training saves checkpoints: after a stop, the same command resumes from the last one.
    """
    watch = Stopwatch()
    watch.line(f"loading libraries and {data.name}")
    from steelyard.io.hub_upload import upload_folder
    from steelyard.io.yaml_file import MAX_SEED
    from steelyard.models.lm.save_lm import SavedWeights
    from steelyard.student.saved import check_free, save_model
    from steelyard.student.training_summary import training_summary

    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"`--seed` must be from 0 to {MAX_SEED}, got {seed}.")
    if save not in get_args(SavedWeights):
        raise ConfigError(f"`--save` must be merged, adapter or both, got {save!r}.")
    weights = cast("SavedWeights", save)
    try:
        check_free(out)
    except InputError as error:
        raise InputError(f"--out: {error}") from error
    if data.suffix in (".yaml", ".yml"):
        plan = _from_study(data, selection, seed, set_)
    else:
        plan = _from_file(data, selection, student)
    plan.student.check_export(weights)
    training = plan.training
    kept = int((training.weights > 0).sum())
    answers = f"{len(training.classes)} answers" if training.classes else "open answers"
    print(f"training on {kept} of {len(training.questions)} examples, {answers}", flush=True)
    scratch = out.with_name(f"{out.name}.unfinished")
    trained = _fit(plan, seed, scratch, watch)
    for line in training_summary(trained, training):
        print(line)
    save_model(trained, out, training.kind, training.classes, weights=weights, source=plan.source)
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"model: {out}")
    if push_to_hub:
        otherwise = (
            f"The model is whole in {out}; log in with `hf auth login` and upload it with "
            "`hf upload`."
        )
        address = upload_folder(out, push_to_hub, "model", "A student of weak labels", otherwise)
        print(f"hub: {address}")


@dataclass(frozen=True)
class _Plan:
    """A student and what it is trained on; of an arm, also its steps and later stages."""

    student: "Student"
    training: "TrainingData"
    steps: int | None = None
    stage: str = ""  # fingerprint of the preference stage
    fit: "Callable[[TrainingOptions], TrainedModel] | None" = None  # None: `student.fit`
    source: "LabelSource | None" = None  # for the model's card


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
            "levels": fingerprint(training.levels),
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
    training = _selected(selection, student, study.task, questions, task.classes)
    return _Plan(student, training, source=_of_file(selection, training))


def _of_file(selection: str, training: "TrainingData") -> "LabelSource":
    from steelyard.student.model_card import LabelSource

    kept = int((training.weights > 0).sum())
    return LabelSource(f"The file {Path(selection).name}", None, len(training.questions), kept)


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
        _of_study(run, name, training),
    )


def _of_study(run: "Run", name: str, training: "TrainingData") -> "LabelSource":
    """What the card says of an arm, a reference or the ceiling."""
    from steelyard.student.model_card import LabelSource
    from steelyard.studies.results_file import RESULTS

    settings = None
    if name in {arm.name for arm in run.study.all_arms}:
        arm = run.study.arm(name)
        fields = {"reliability", "selection", "objective", "preference"} | (
            {"mix"} if arm.mix else set()
        )
        settings = {
            **arm.model_dump(mode="json", include=fields),
            "supervisors": [s.model_dump(mode="json") for s in run.study.supervisors],
        }
    kept = int((training.weights > 0).sum())
    return LabelSource(
        f"`{name}` of the study `{run.study.name}`",
        settings,
        len(training.questions),
        kept,
        run.store.root.parent / RESULTS,
        name,
    )


def _from_file(data: Path, selection: str, student: str) -> _Plan:
    """A student of its settings, and a selection file about the questions of a file."""
    from steelyard.data import read_questions
    from steelyard.types.task_kinds import KINDS

    settings, kind = student_of(student, data)
    settings.check_saved()
    questions = read_questions(kind, data)
    names = KINDS[kind].names(questions)
    training = _selected(selection, settings, kind, questions, names or None)
    return _Plan(settings, training, source=_of_file(selection, training))


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
