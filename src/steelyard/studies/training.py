"""The student of an arm, or of the ceiling: what it is taught, trained, and asked."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import Finetuned, StatesCache
from steelyard.models.load import identity
from steelyard.models.logistic import HeadTargets
from steelyard.prompts import AnswerFormat, spelling
from steelyard.selection import best_and_worst, select_truth
from steelyard.store.store import Recipe, fingerprint, library_versions
from steelyard.student import (
    CROSS_ENTROPY,
    LanguageModelStudent,
    Probe,
    TrainedLanguageModel,
    TrainedPreferenceStudent,
    TrainedProbe,
)
from steelyard.student.preference_stage import PreferenceStage
from steelyard.studies.arms import Arm
from steelyard.studies.votes import SeedVotes, Splits, weighing
from steelyard.supervision.nbest import weigh_answers
from steelyard.types import Floats, Predictions, Question, Reliability, Selection, Split

CEILING = "ceiling"
StudentAnswers: TypeAlias = Floats | tuple[str | None, ...]
"""Answers to N questions: class probabilities (N, K), or texts of open ones, None if unreadable."""


class Selected(Splits, Protocol):
    """A study with its votes and selections: what students are made of."""

    @property
    def reader(self) -> AnswerFormat:
        """How open answers are read and compared."""

    def votes(self, seed: int) -> SeedVotes:
        """Votes of all supervisors."""

    def selection(self, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
        """What the student of an arm is taught."""

    def lesson(self, seed: int, name: str) -> tuple[tuple[Question, ...], Selection]:
        """What is taught about which questions."""

    def states(self, student: Any) -> StatesCache | None:
        """What frozen layers make of a text."""

    def grade(self, split: Split, said: StudentAnswers, metric: str) -> Floats:
        """Open answers as the metric takes them."""

    def __hash__(self) -> int: ...

    def jobs(self) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        """All votes, and all students."""


class TrainedStudent(NamedTuple):
    """A student after training, in one seed and arm."""

    predictions: Predictions  # on the test split; of open answers right or other
    record: dict[str, Any]  # rows, kept, steps, loss, cut; of a language model more
    doubts: Mapping[str, Floats]  # on the test split, (N,) each: see `Finetuned.ask`


def teach(run: Selected, seed: int, name: str) -> TrainedStudent:
    """Train the student of an arm, or of the ceiling, and ask it the test questions."""
    task, student = run.task(seed), run.study.student
    asked, selection = run.lesson(seed, name)
    test, more = task.test.questions, told(student, task.kind, task.classes)
    objective = CROSS_ENTROPY if name == CEILING else run.study.arm(name).objective
    heard: dict[str, Any] = {}
    if objective.tokens:
        heard = {"objective": objective, "written": selection.token_targets}
    elif objective != CROSS_ENTROPY:
        heard = {"objective": objective, "apart": selection.per_supervisor}
    stage = None if name == CEILING else run.study.arm(name).preference
    steps = student.planned_steps(len(asked) if run.study.match == "steps" else selection.kept)
    recipe = Recipe(
        kind="student",
        version=student.version,
        settings={**student.model_dump(mode="json"), "seed": seed, "steps": steps},
        inputs={
            "questions": run.questions(seed, "strong_train")
            if task.classes
            else fingerprint(asked),
            "targets": fingerprint((selection.targets, selection.weights)),
            "test": run.questions(seed, "test"),
            "model": identity(student.pretrained),
            **{word: fingerprint(what) for word, what in more.items()},
            **_heard(heard),
            **({} if stage is None else {"preference": _stage_of(run, seed, stage)}),
        },
        libraries=library_versions(*student.libraries),
    )

    def make(work: Path) -> dict[str, Any]:
        if isinstance(student, Probe):
            fitted: Any = _probes(run)[seed, name]
        else:
            fitted = student.fit(
                asked,
                selection.targets,
                selection.weights,
                seed=seed,
                steps=steps,
                checkpoints=Checkpoints(work),
                states=run.states(student),
                **more,
                **heard,
            )
        record = {
            "rows": len(asked),
            "kept": selection.kept,
            "steps": len(fitted.log.loss),
            "loss": fitted.log.loss,
            "cut": fitted.truncated,
        }
        if isinstance(fitted, TrainedLanguageModel | TrainedPreferenceStudent):
            record["left_out"] = fitted.dropped
        if stage is not None:
            kept = [one for one, w in zip(asked, selection.weights, strict=True) if w > 0]
            fitted, record["preference"] = _prefer(run, seed, fitted, stage, kept)
        if isinstance(fitted, TrainedLanguageModel) and not task.classes:
            return {"record": {**record, "answers": fitted.answers(test)}}
        doubts: dict[str, Floats] = {}
        if isinstance(fitted, Finetuned):
            probs, doubts = fitted.ask(test, run.states(student))
        else:
            probs = fitted.probabilities(test, run.states(student))
        return {
            "test": Predictions(model, task.test.ids, probs),
            "record": record,
            **doubts,
        }

    model = f"{student.kind} {name}"
    kept = run.store.keep(f"seed-{seed}/{name}/student", recipe, make)
    if "test" in kept:
        doubts = {name: kept[name] for name in kept if name not in ("test", "record")}
        return TrainedStudent(kept["test"], kept["record"], doubts)
    probs = run.grade(task.test, tuple(kept["record"]["answers"]), "accuracy")
    return TrainedStudent(Predictions(model, task.test.ids, probs), kept["record"], {})


def lesson(run: Selected, seed: int, name: str) -> tuple[tuple[Question, ...], Selection]:
    """What is taught about which questions; open ones bring their candidates as `choices`."""
    task, split = run.task(seed), run.task(seed).strong_train
    if name == CEILING:
        selection = select_truth(split.ids, split.truth, max(task.num_classes, 1))
        candidates: Any = ((spelling(text, run.reader),) for text in split.reference_texts)
    else:
        selection, _ = run.selection(seed, run.study.arm(name))
        candidates = run.votes(seed).strong_train.candidate_texts
    if task.classes:
        return split.questions, selection
    pairs = zip(split.questions, candidates, strict=True)
    return tuple(replace(question, choices=texts) for question, texts in pairs), selection


def _prefer(
    run: Selected,
    seed: int,
    fitted: TrainedLanguageModel,
    stage: PreferenceStage,
    taught: Sequence[Question],
) -> tuple[TrainedLanguageModel, dict[str, Any]]:
    """A student after its preference stage, and what it was taught there."""
    questions = taught[: stage.questions]
    texts = fitted.lists(questions, stage.beams)
    weak, seeds = weighing(run, seed)
    scores = weigh_answers(weak, run.task(seed).weak_train, questions, texts, seeds=seeds)
    found = best_and_worst(texts, scores)
    pairs, selection = found.training_set(questions)
    sure = found.flip_probability <= stage.max_flip_probability
    targets = selection.targets if stage.conservative else np.tile([1.0, 0.0], (len(sure), 1))
    weights = selection.weights * sure
    left_out = {**found.dropped, "doubted": int((~sure).sum())}
    if not sure.any():
        return fitted, {"pairs": 0, "left_out": left_out}
    after, rewards = fitted.prefer(pairs, targets, weights, stage, seed=seed)
    used = sure & np.isfinite(rewards).all(axis=1)
    lead = (rewards[:, 0] - rewards[:, 1])[used]
    return after, {
        "pairs": int(used.sum()),
        "left_out": {**left_out, "too long": int((sure & ~used).sum())},
        "doubt": float(found.flip_probability[used].mean()),
        "reward_margin": float(lead.mean()),
        "accuracy": float((lead > 0).mean()),
    }


def _stage_of(run: Selected, seed: int, stage: PreferenceStage) -> str:
    """Fingerprint of a preference stage and of the supervisors that judge in it."""
    weak, seeds = weighing(run, seed)
    said = [(one.model_dump(mode="json"), one.version, one.inputs()) for one in weak]
    words = stage.model_dump(mode="json")
    return fingerprint((words, said, seeds, fingerprint(run.task(seed).weak_train)))


@functools.lru_cache(maxsize=2)
def _probes(run: Selected) -> dict[tuple[int, str], TrainedProbe]:
    """The probes of all arms and seeds. All, even where one is missing: so each is what it was."""
    student = run.study.student
    assert isinstance(student, Probe)
    _, jobs = run.jobs()
    taught = [run.lesson(seed, name) for seed, name in jobs]
    row: dict[Question, int] = {}
    lessons = [
        HeadTargets(
            np.array([row.setdefault(question, len(row)) for question in asked], dtype=np.int64),
            selection.targets,
            selection.weights,
        )
        for asked, selection in taught
    ]
    fitted = student.fit_together(tuple(row), lessons, run.states(student))
    return dict(zip(jobs, fitted, strict=True))


def told(student: Any, kind: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """What a language model must know of the task to put a question in words."""
    return {"kind": kind, "classes": classes} if isinstance(student, LanguageModelStudent) else {}


def _heard(heard: dict[str, Any]) -> dict[str, str]:
    """Fingerprints of an arm's own objective, and of the labels apart or words that it hears."""
    if not heard:
        return {}
    objective = heard["objective"]
    words = {**objective.model_dump(mode="json"), "version": objective.version}
    found = {"objective": fingerprint(words)}
    if objective.several:
        found["apart"] = fingerprint(heard["apart"])
    if objective.tokens:
        written = heard["written"]
        if written is not None and not objective.by_entropy:
            written = {name: value for name, value in vars(written).items() if name != "entropy"}
        found["written"] = fingerprint(written)
    return found
