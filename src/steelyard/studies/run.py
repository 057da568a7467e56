"""The method, top to bottom: data, votes, reliability, selection, student, predictions.

Every step is kept in the store, so each can be asked for in any order and by any process: what it
needs is read if it was made before, and made else.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from steelyard.data import Leak, LoadedData, apply_leak_policy, find_leaks, load, split
from steelyard.errors import InputError
from steelyard.evaluation import (
    candidate_numbers,
    canonical_truth,
    floor_members,
    grade_texts,
    most_voted_texts,
    single_voters,
)
from steelyard.models.features import read_features
from steelyard.models.finetune import StatesCache
from steelyard.models.load import Pretrained, identity
from steelyard.models.load import check as check_model
from steelyard.prompts import AnswerFormat, canonical
from steelyard.reliability import GraphDenoising, OnFeatures, Pairs
from steelyard.store.store import Recipe, Store, fingerprint, library_versions
from steelyard.student import (
    LanguageModelStudent,
    Probe,
)
from steelyard.studies import training as teaching
from steelyard.studies.arms import Arm
from steelyard.studies.config import Study
from steelyard.studies.hidden_states import TextStates
from steelyard.studies.training import CEILING, StudentAnswers, TrainedStudent
from steelyard.studies.votes import SeedVotes, hear
from steelyard.supervision import VotesFile
from steelyard.types import (
    Floats,
    Ints,
    Question,
    Reliability,
    Selection,
    Split,
    Task,
    Votes,
)

Jobs: TypeAlias = list[tuple[int, str]]
"""Seeds, each with "votes" or whose student is taught."""


@dataclass(frozen=True, eq=False)
class Run:
    """A study and the store of its results.

    Args:
        study: what is studied.
        store: where results are kept.
        base: folder that relative data paths start from.
    """

    study: Study
    store: Store
    base: Path = Path()

    @functools.cached_property
    def source(self) -> LoadedData:
        """All rows of the data set, checked."""
        source = load(self.study.task, self.study.data, self.base)
        known = {*source.train.ids, *source.test.ids}
        for supervisor in self.study.supervisors:
            if isinstance(supervisor, VotesFile):
                supervisor.check_ids(known)
        return source

    def check(self) -> None:
        """Say early, before anything is trained, what is wrong with the data or the models.

        Raises:
            InputError: data or votes that do not fit.
            ConfigError: a model that is not there, or has fewer layers than asked for.
        """
        for seed in self.study.seed_list:
            task = self.task(seed)
            size = len(task.test.truth)
            for rows in (task.strong_train, task.test):
                canonical_truth(rows.ids, rows.reference_texts, self.reader)
        if size < 2:
            raise InputError(
                f"{self.source.name!r} has {size} test row; intervals need at least 2. Give more "
                "test rows, or raise `data.max_test`."
            )
        encoders = (getattr(arm.reliability, "encoder", None) for arm in self.study.all_arms)
        for part in (self.study.student, *self.study.supervisors, *encoders):
            if isinstance(part, Pretrained):
                check_model(part.pretrained)

    def splits(self, seed: int) -> tuple[Task, tuple[Leak, ...]]:
        """The seed's splits, and texts that stood in two of them before the leak policy."""
        return _splits(self, seed)

    def task(self, seed: int) -> Task:
        """The seed's splits after the leak policy."""
        return self.splits(seed)[0]

    def votes(self, seed: int) -> SeedVotes:
        """Votes of all supervisors on strong_train and on test."""
        return _votes(self, seed)

    def truth(self, seed: int) -> Ints:
        """Answer number of each strong_train example, NO_CANDIDATE if no voter gave it."""
        return _truth(self, seed)

    def members(self, seed: int) -> Sequence[StudentAnswers]:
        """What each weak supervisor says to the test questions."""
        votes = self.votes(seed).test
        if not votes.candidate_texts:
            return floor_members(votes)
        return [most_voted_texts(part) for part in single_voters(votes)]

    def ensemble(self, seed: int) -> StudentAnswers:
        """What all weak supervisors together say to the test questions."""
        votes = self.votes(seed).test
        return most_voted_texts(votes) if votes.candidate_texts else votes.means()

    def said(self, taught: TrainedStudent) -> StudentAnswers:
        """What a student says to the test questions."""
        answers = taught.record.get("answers")
        return taught.predictions.probs if answers is None else tuple(answers)

    def grade(self, split: Split, said: StudentAnswers, metric: str) -> Floats:
        """Answers to the questions of a split as the metric takes them, (N, K)."""
        if not isinstance(said, tuple):
            return said
        return grade_texts(said, _right_answers(self, split), self.reader, metric)

    def agreement(self, seed: int, taught: TrainedStudent) -> float:
        """Share of the test questions on which a student says what the supervisors' majority says.

        An answer that cannot be read agrees with nothing.
        """
        votes = self.votes(seed).test
        best = votes.means().argmax(axis=1)
        if not votes.candidate_texts:
            return float((taught.predictions.probs.argmax(axis=1) == best).mean())
        texts = [own[k] for own, k in zip(votes.candidate_texts, best, strict=True)]
        majority = [canonical(text, self.reader) for text in texts]
        said = taught.record["answers"]
        return float(
            np.mean([a is not None and a == b for a, b in zip(said, majority, strict=True)])
        )

    def selection(self, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
        """What the student of an arm is taught."""
        return _selection(self, seed, arm.name)

    def _select(self, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
        votes = self.votes(seed).strong_train
        inputs = {"votes": fingerprint(votes)}
        if arm.role == "oracle":
            inputs["truth"] = fingerprint(self.truth(seed))
        method = arm.reliability
        if isinstance(method, OnFeatures | GraphDenoising):
            inputs["questions"] = self.questions(seed, "strong_train")
        if isinstance(method, OnFeatures):
            inputs["encoder"] = identity((method.encoder or self.study.student).pretrained)
        recipe = Recipe(
            kind="selection",
            version=100 * type(arm.reliability).version + type(arm.selection).version,
            settings={
                **arm.model_dump(
                    exclude={"name", "description", "control_of", "objective", "preference"}
                ),
                "seed": seed,
            },
            inputs=inputs,
            libraries=library_versions(*getattr(method, "libraries", ("numpy",))),
        )

        def make(_: Path) -> dict[str, Any]:
            if isinstance(method, OnFeatures):
                reliability = method.estimate(votes, self._features(seed, method))
            elif isinstance(method, GraphDenoising):
                pairs = Pairs.of(self.task(seed).strong_train.questions)
                reliability = method.estimate(votes, pairs=pairs)
            else:
                reliability = method.estimate(votes)
            try:
                selection = arm.select(votes, reliability, self.truth(seed), seed)
            except InputError as error:
                raise InputError(f"arm `{arm.name}`, seed {seed}: {error}") from error
            return {"selection": selection, "reliability": reliability}

        kept = self.store.keep(f"seed-{seed}/{arm.name}/selection", recipe, make)
        return kept["selection"], kept["reliability"]

    def _features(self, seed: int, method: OnFeatures) -> Any:
        """What an estimator looks at: the strong_train texts as a probe of the model sees them."""
        pretrained = (method.encoder or self.study.student).pretrained
        probe = Probe(**pretrained.model_dump(), max_tokens=method.max_tokens)
        asked = self.task(seed).strong_train.questions
        return read_features(pretrained, asked, method.max_tokens, self.states(probe))

    def teach(self, seed: int, name: str) -> TrainedStudent:
        """Train the student of an arm, or of the ceiling, and ask it the test questions."""
        return teaching.teach(self, seed, name)

    def lesson(self, seed: int, name: str) -> tuple[tuple[Question, ...], Selection]:
        """What is taught about which questions; open ones bring their candidates as `choices`."""
        return teaching.lesson(self, seed, name)

    def questions(self, seed: int, split: str) -> str:
        """Fingerprint of the questions of one split."""
        return _questions(self, seed, split)

    @property
    def reader(self) -> AnswerFormat:
        """How open answers are read and compared."""
        student = self.study.student
        return student.spelling if isinstance(student, LanguageModelStudent) else "text"

    def _numbers(self, votes: Votes, split: Split) -> Ints:
        """Numbers of the true answers of open questions among the votes' candidates."""
        return candidate_numbers(votes, _right_answers(self, split), self.reader)

    def jobs(self) -> tuple[Jobs, Jobs]:
        """Two rounds of independent jobs (seed, name): votes, then students.

        Students go arm by arm and not seed by seed, so that processes start on different data.
        """
        seeds = self.study.seed_list
        names = [CEILING, *(arm.name for arm in self.study.all_arms)]
        return [(seed, "votes") for seed in seeds], [(s, name) for name in names for s in seeds]

    def together(self, jobs: Jobs) -> list[Jobs]:
        """Jobs that one process should do: all probes, which are fitted in one solve."""
        if isinstance(self.study.student, Probe) and all(name != "votes" for _, name in jobs):
            return [jobs]
        return [[job] for job in jobs]

    def do(self, seed: int, name: str) -> None:
        """One job. Selections are made with the votes: one that cannot be is said at once."""
        if name == "votes":
            for arm in self.study.all_arms:
                self.selection(seed, arm)
        else:
            self.teach(seed, name)

    def states(self, student: Any) -> StatesCache | None:
        """What frozen layers make of a text, kept in the store while the study runs."""
        if student.kind != "probe" and student.train_layers is None:
            return None
        names = ("kind", "layers", "train_layers", "precision", "max_tokens")
        settings = {name: getattr(student, name, None) for name in names}
        return _texts(self).cache(settings, identity(student.pretrained))


@functools.lru_cache(maxsize=16)
def _splits(run: Run, seed: int) -> tuple[Task, tuple[Leak, ...]]:
    task = split(run.source, run.study.data, seed)
    leaks = find_leaks(task)
    return apply_leak_policy(task, leaks, run.study.data.leaks), leaks


@functools.lru_cache(maxsize=16)
def _votes(run: Run, seed: int) -> SeedVotes:
    return hear(run, seed)


@functools.lru_cache(maxsize=64)
def _selection(run: Run, seed: int, name: str) -> tuple[Selection, Reliability]:
    return run._select(seed, run.study.arm(name))


@functools.lru_cache(maxsize=16)
def _truth(run: Run, seed: int) -> Ints:
    split = run.task(seed).strong_train
    return (
        run._numbers(run.votes(seed).strong_train, split) if split.reference_texts else split.truth
    )


@functools.lru_cache(maxsize=16)
def _right_answers(run: Run, split: Split) -> tuple[str, ...]:
    """True answers of open questions in the reader's spelling."""
    return canonical_truth(split.ids, split.reference_texts, run.reader)


@functools.lru_cache(maxsize=2)
def _texts(run: Run) -> TextStates:
    tasks = [run.task(seed) for seed in run.study.seed_list]
    splits = [tasks[0].test, *(task.strong_train for task in tasks)]
    return TextStates(run.store, [question for split in splits for question in split.questions])


@functools.lru_cache(maxsize=64)
def _questions(run: Run, seed: int, split: str) -> str:
    """Fingerprint of the questions of one split."""
    return fingerprint(getattr(run.task(seed), split).questions)
