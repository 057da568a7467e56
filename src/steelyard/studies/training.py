"""The student of an arm, or of the ceiling: trained and asked the test questions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from steelyard.errors import TrainingCollapsed
from steelyard.models.checkpoints import Checkpoints
from steelyard.objectives import CROSS_ENTROPY
from steelyard.selection import difficulty_levels
from steelyard.store.store import fingerprint
from steelyard.student import TrainedModel, TrainingData, TrainingOptions, UntrainedStudent
from steelyard.student.preference_stage import PreferenceStage
from steelyard.studies.ceiling import ceiling_steps
from steelyard.studies.conflicts import mixed_rows, opposed_truth
from steelyard.studies.grading import Answers, grade
from steelyard.studies.ladder import arm_labels_of, labels_after
from steelyard.studies.off_task import PART, off_task_answers, off_task_inputs
from steelyard.studies.parts import foreign_path, student_recipe
from steelyard.studies.preferring import prefer, stage_fingerprint
from steelyard.studies.reference_names import GOLD_AND_WEAK, is_reference, is_untrained
from steelyard.studies.references import (
    ReferenceRows,
    known_rows,
    reference_rows,
    with_choices,
    with_rows,
)
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.single_supervisors import arm_votes
from steelyard.types import Floats, Predictions, Selection
from steelyard.types.predictions import ModelAnswers
from steelyard.types.task_kinds import KINDS

CEILING = "ceiling"
WEAK_TRAIN = "weak_train"
OLD_KEYS = {"cut": "truncated", "left_out": "dropped"}
"""Keys in records that were stored before they were renamed."""


class TrainedStudent(NamedTuple):
    """A student after training, in one seed and arm."""

    predictions: Predictions  # on the test split; for open answers: right or wrong
    record: dict[str, Any]  # rows, kept, steps, loss and what the student adds
    uncertainty: Mapping[str, Floats]  # by name, on the test split, (N,) each
    on_weak_train: Predictions | None = None  # where a threshold is chosen on them
    off_task: Mapping[str, Predictions] = {}  # to other tasks, by the name of the stored part

    @property
    def answers(self) -> Answers:
        """The answers to the test questions."""
        texts = self.record.get("answers")
        return self.predictions.probs if texts is None else tuple(texts)


def student_jobs(run: Run) -> list[tuple[int, str]]:
    """Seed and arm of each student.

    Arm by arm and not seed by seed, so that processes start on different data.
    """
    arms = [arm.name for arm in run.study.all_arms if run.folds is None or arm.role == "arm"]
    ceiling = [CEILING] if run.folds is None else []
    names = [*ceiling, *run.study.reference_names, *arms]
    return [(seed, name) for name in names for seed in run.study.seed_list]


def why_untrained(run: Run, seed: int, name: str) -> str | None:
    """Why there is no student of an arm or reference in a seed; None if there is.

    It is trained for that, or read from the store. Of the ceiling there is always one.
    """
    reason = nothing_to_learn(run, seed, name)
    if reason is None and name != CEILING:
        outcome = _outcome(run, seed, name)
        return outcome if isinstance(outcome, str) else None
    if reason is None:
        train_student(run, seed, name)
    return reason


def nothing_to_learn(run: Run, seed: int, name: str) -> str | None:
    """Why an arm or reference cannot be trained in a seed; None if it can. The ceiling can."""
    if name == CEILING:
        return None
    if is_reference(name):
        return reference_rows(run, seed, name).reason or None
    arm = run.study.arm(name)
    return labels_after(run, seed, arm, len(arm.through)).reason or None


def train_student(run: Run, seed: int, name: str) -> TrainedStudent:
    """Train the student of an arm, a reference or the ceiling, and ask it the test questions.

    Raises:
        NothingToLearn: the arm's selection keeps nothing, or one class alone.
        TrainingCollapsed: its numbers ceased to be numbers, or it learnt nothing.
    """
    outcome = _outcome(run, seed, name)
    if isinstance(outcome, str):
        raise TrainingCollapsed(f"`{name}`, seed {seed}: {outcome}")
    return outcome


def _outcome(run: Run, seed: int, name: str) -> TrainedStudent | str:
    """The student, or why its training collapsed."""
    return run.once(("student", seed, name), lambda: _train(run, seed, name))


def _train(run: Run, seed: int, name: str) -> TrainedStudent | str:
    task, student = run.task(seed), run.study.student
    data, selection = training_set(run, seed, name)
    steps = planned_steps(run, seed, name, data)
    recipe = student_recipe(student, seed, steps, _inputs(run, seed, name, data))

    def make(work: Path) -> dict[str, Any]:
        options = TrainingOptions(seed, steps, Checkpoints(work), run.states(student))
        try:
            trained, stage = fit_student(run, seed, name, data, options)
        except TrainingCollapsed as error:
            if name == CEILING:  # every arm is compared with it
                raise TrainingCollapsed(f"`{name}`, seed {seed}: {error}") from error
            return {"record": {"collapsed": str(error)}}
        record = {
            "rows": len(selection.ids),
            "kept": selection.kept,
            "steps": len(trained.log.loss),
            "loss": trained.log.loss,
            **trained.training_record(),
            **stage,
        }
        made = _stored(trained.predict(task.test.questions, options.states), record)
        if run.asks_weak_train:
            probs = trained.predict(task.weak_train.questions, options.states).probs
            assert probs is not None  # the settings refuse a threshold of open answers
            made[WEAK_TRAIN] = Predictions(made["test"].model, task.weak_train.ids, probs)
        return {**made, **off_task_answers(run, trained)}

    def _stored(answers: ModelAnswers, record: dict[str, Any]) -> dict[str, Any]:
        if answers.probs is None:
            return {"record": {**record, "answers": answers.texts}}
        predictions = Predictions(f"{student.kind} {name}", task.test.ids, answers.probs)
        return {"test": predictions, "record": record, **answers.uncertainty}

    kept = run.store.keep(f"seed-{seed}/{name}/student", recipe, make)
    record = {OLD_KEYS.get(key, key): value for key, value in kept["record"].items()}
    if "collapsed" in record:
        return str(record["collapsed"])
    others = {key: kept[key] for key in kept if key.startswith(PART)}
    if "test" in kept:
        expected = {"test", "record", WEAK_TRAIN, *others}
        uncertainty = {key: kept[key] for key in kept if key not in expected}
        return TrainedStudent(kept["test"], record, uncertainty, kept.get(WEAK_TRAIN), others)
    probs = grade(run, task.test, tuple(record["answers"]), "accuracy")
    predictions = Predictions(f"{student.kind} {name}", task.test.ids, probs)
    return TrainedStudent(predictions, record, {}, None, others)


def planned_steps(run: Run, seed: int, name: str, data: TrainingData) -> int:
    """Optimizer steps of an arm, a reference or the ceiling.

    The ceiling is trained as long as `ceiling_length` says. Of the others with `match: steps` each
    takes those of `student.epochs` over strong_train, otherwise those over its own kept rows. A
    student taught a few true labels alone, as `gold_only`, always
    takes the former: one epoch over ten rows would teach nothing.
    """
    if is_untrained(name):
        return 0
    if name == CEILING:
        return ceiling_steps(run, len(data.questions))
    alone = is_reference(name) and name != GOLD_AND_WEAK
    if alone or run.study.match == "steps":
        return run.study.student.planned_steps(len(run.task(seed).strong_train.truth))
    return run.study.student.planned_steps(int((data.weights > 0).sum()))


def fit_student(
    run: Run, seed: int, name: str, data: TrainingData, options: TrainingOptions
) -> tuple[TrainedModel, dict[str, Any]]:
    """The trained student, and the record of its preference stage if its arm has one.

    Args:
        run: the study.
        seed: of the study.
        name: of an arm, of a reference, or the ceiling.
        data: its `training_set`.
        options: with its `planned_steps`.
    """
    student = run.study.student
    if is_untrained(name):
        if student.answers_untrained:
            return student.untrained(data.kind, data.classes), {}
        return UntrainedStudent(student, len(data.classes)), {}
    stage = stage_of(run, name)
    if stage is not None:
        writer = student.fit_writer(data, options)
        kept = [q for q, w in zip(data.questions, data.weights, strict=True) if w > 0]
        trained, record = prefer(run, seed, writer, stage, kept)
        return trained, {"preference": record}
    if student.fits_together:
        return run.once("students", lambda: _fit_all(run))[seed, name], {}
    return student.fit(data, options), {}


def _fit_all(run: Run) -> dict[tuple[int, str], TrainedModel]:
    """The students of all arms and seeds, so that no result depends on which are missing."""
    jobs = [
        (seed, name)
        for seed, name in student_jobs(run)
        if nothing_to_learn(run, seed, name) is None and not is_untrained(name)
    ]
    data = [training_set(run, seed, name)[0] for seed, name in jobs]
    student = run.study.student
    return dict(zip(jobs, student.fit_all(data, run.states(student)), strict=True))


def stage_of(run: Run, name: str) -> PreferenceStage | None:
    """The preference stage of an arm, if it has one."""
    return None if name == CEILING or is_reference(name) else run.study.arm(name).preference


def training_set(run: Run, seed: int, name: str) -> tuple[TrainingData, Selection]:
    """What a student is trained on; open questions have their candidates as `choices`.

    Raises:
        NothingToLearn: the arm's selection keeps nothing, or one class alone.
    """
    task, split = run.task(seed), run.task(seed).strong_train
    if name == CEILING or is_reference(name):
        if name == CEILING:
            labels = known_rows(run, split, max(task.num_classes, 1))
        else:
            labels = reference_rows(run, seed, name)
        return TrainingData(run.study.task, task.classes, *labels[:3]), labels.selection
    arm = run.study.arm(name)
    selection, objective = arm_labels_of(run, seed, arm), arm.objective
    levels = None
    if arm.order != "random":
        score, kept = select_labels(run, seed, arm)[1].score, selection.weights > 0
        levels = difficulty_levels(score, kept, arm.order, arm.levels, seed)
    texts = arm_votes(run, seed, arm).strong_train.candidate_texts
    questions = with_choices(split.questions, texts)
    rows = ReferenceRows(questions, selection.targets, selection.weights)
    if arm.gold_weight:
        rows = with_rows(run, rows, run.task(seed).weak_train, arm.gold_weight)
    if arm.mix is not None:
        rows = with_rows(run, rows, mixed_rows(run, seed, arm.mix), 1.0)
    opposed = None
    if objective.opposes_truth:
        opposed = np.zeros(rows.targets.shape)
        opposed[: len(split.truth)] = opposed_truth(run, seed, objective, rows.targets.shape[1])
    data = TrainingData(
        run.study.task,
        task.classes,
        *rows[:3],
        objective,
        selection.per_supervisor if objective.per_supervisor else None,
        selection.token_targets if objective.token_level else None,
        opposed,
        levels,
    )
    return data, selection


def _inputs(run: Run, seed: int, name: str, data: TrainingData) -> dict[str, str]:
    """Fingerprints of everything but its settings that a student depends on."""
    student, is_open = run.study.student, KINDS[data.kind].is_open
    split = run.task(seed).strong_train
    stage = stage_of(run, name)
    inputs = {
        "questions": fingerprint(tuple(data.questions))
        if is_open or is_reference(name) or len(data.questions) > len(split.questions)
        else run.questions(seed, "strong_train"),
        "targets": fingerprint((data.targets, data.weights)),
        "test": run.questions(seed, "test"),
        "model": "" if student.pretrained is None else run.identity(student.pretrained),
    }
    if student.knows_classes:
        inputs |= {"kind": fingerprint(data.kind), "classes": fingerprint(data.classes)}
    if data.levels is not None:
        inputs["levels"] = fingerprint(data.levels)
    if stage is not None:
        inputs["preference"] = stage_fingerprint(run, seed, stage)
    if run.asks_weak_train:
        inputs[WEAK_TRAIN] = run.questions(seed, WEAK_TRAIN)
    return {**inputs, **off_task_inputs(run), **_objective_inputs(data)}


def _objective_inputs(data: TrainingData) -> dict[str, str]:
    """Fingerprints of an objective other than the cross-entropy, and of its further targets."""
    objective = data.objective
    if objective == CROSS_ENTROPY:
        return {}
    settings = {
        **objective.model_dump(mode="json"),
        **foreign_path(objective),
        "version": objective.version,
    }
    inputs = {"objective": fingerprint(settings)}
    if objective.per_supervisor:
        inputs["apart"] = fingerprint(data.per_supervisor)
    if objective.opposes_truth:
        inputs["opposed"] = fingerprint(data.opposed)
    if objective.token_level:
        targets: Any = data.token_targets
        if targets is not None and not objective.uses_entropy:
            targets = {name: value for name, value in vars(targets).items() if name != "entropy"}
        inputs["written"] = fingerprint(targets)
    return inputs
