"""The method, top to bottom: data, votes, reliability, selection, student, predictions.

Every step is kept in the store, so each can be asked for in any order and by any process: what it
needs is read if it was made before, and made else.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from steelyard.arms import Arm
from steelyard.config import Study
from steelyard.data import Leak, Source, apply_leak_policy, find_leaks, load, split
from steelyard.errors import InputError
from steelyard.evaluation import (
    candidate_numbers,
    floor_members,
    grade_texts,
    read_truth,
    single_voters,
    winners,
)
from steelyard.ledger import Ledger
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.features import read_features
from steelyard.models.finetune import Finetuned, StatesCache
from steelyard.models.load import Pretrained, identity
from steelyard.models.load import check as check_model
from steelyard.models.logistic import Lesson
from steelyard.prompts import ReaderName, canonical, spelling
from steelyard.reliability import GraphDenoising, OnFeatures, Pairs
from steelyard.selection import best_and_worst, teach_truth
from steelyard.states import TextStates
from steelyard.store import Recipe, Store, fingerprint, library_versions
from steelyard.student import (
    CROSS_ENTROPY,
    FittedLanguageModel,
    FittedPreference,
    FittedProbe,
    LanguageModel,
    Probe,
)
from steelyard.student.preference_stage import PreferenceStage
from steelyard.supervision import Api, VotesFile
from steelyard.supervision.beams import vote_by_beam, weigh_answers
from steelyard.types import (
    Floats,
    Ints,
    Predictions,
    Question,
    Reliability,
    Selection,
    Split,
    Task,
    Votes,
    join_votes,
)

CEILING = "ceiling"
LEDGER = "ledger.sqlite"  # in the store: answers that servers gave
Jobs: TypeAlias = list[tuple[int, str]]
"""Seeds, each with "votes" or whose student is taught."""
Said: TypeAlias = Floats | tuple[str | None, ...]
"""Answers to N questions: class probabilities (N, K), or texts of open ones, None if unreadable."""


class Supervised(NamedTuple):
    """What the weak supervisors said in one seed."""

    strong_train: Votes
    test: Votes


class Taught(NamedTuple):
    """A student after training, in one seed and arm."""

    predictions: Predictions  # on the test split; of open answers right or other
    record: dict[str, Any]  # rows, kept, steps, loss, cut; of a language model more
    doubts: Mapping[str, Floats]  # on the test split, (N,) each: see `Finetuned.ask`


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
    def source(self) -> Source:
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
                read_truth(rows.ids, rows.answers, self._reader)
        if size < 2:
            raise InputError(
                f"{self.source.name!r} has {size} test row; intervals need at least 2. Give more "
                "test rows, or raise `data.max_test`."
            )
        encoders = (getattr(arm.reliability, "encoder", None) for arm in self.study.all_arms)
        for part in (self.study.student, *self.study.supervisors, *encoders):
            if isinstance(part, Pretrained):
                check_model(_pretrained(part))

    def splits(self, seed: int) -> tuple[Task, tuple[Leak, ...]]:
        """The seed's splits, and texts that stood in two of them before the leak policy."""
        return _splits(self, seed)

    def task(self, seed: int) -> Task:
        """The seed's splits after the leak policy."""
        return self.splits(seed)[0]

    def votes(self, seed: int) -> Supervised:
        """Votes of all supervisors on strong_train and on test."""
        return _votes(self, seed)

    def truth(self, seed: int) -> Ints:
        """Answer number of each strong_train example, NOBODY for an open one nobody got right."""
        return _truth(self, seed)

    def members(self, seed: int) -> Sequence[Said]:
        """What each weak supervisor says to the test questions."""
        votes = self.votes(seed).test
        if not votes.candidate_texts:
            return floor_members(votes)
        return [winners(part) for part in single_voters(votes)]

    def ensemble(self, seed: int) -> Said:
        """What all weak supervisors together say to the test questions."""
        votes = self.votes(seed).test
        return winners(votes) if votes.candidate_texts else votes.means()

    def said(self, taught: Taught) -> Said:
        """What a student says to the test questions."""
        answers = taught.record.get("answers")
        return taught.predictions.probs if answers is None else tuple(answers)

    def grade(self, split: Split, said: Said, metric: str) -> Floats:
        """Answers to the questions of a split as the metric takes them, (N, K)."""
        if not isinstance(said, tuple):
            return said
        return grade_texts(said, _right_answers(self, split), self._reader, metric)

    def agreement(self, seed: int, taught: Taught) -> float:
        """Share of the test questions on which a student says what the supervisors' majority says.

        An answer that cannot be read agrees with nothing.
        """
        votes = self.votes(seed).test
        best = votes.means().argmax(axis=1)
        if not votes.candidate_texts:
            return float((taught.predictions.probs.argmax(axis=1) == best).mean())
        texts = [own[k] for own, k in zip(votes.candidate_texts, best, strict=True)]
        majority = [canonical(text, self._reader) for text in texts]
        said = taught.record["answers"]
        return float(
            np.mean([a is not None and a == b for a, b in zip(said, majority, strict=True)])
        )

    def selection(self, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
        """What the student of an arm is taught."""
        return _selection(self, seed, arm.name)

    def _join_votes(self, seed: int) -> Supervised:
        task = self.task(seed)
        supervisors = self.study.supervisors
        beams = tuple(n for n, weak in enumerate(supervisors) if getattr(weak, "beams", None))
        alone = [(n,) for n in range(len(supervisors)) if n not in beams]
        parts = [
            self._votes_of(n, task, seed) for n in sorted([*alone, *([beams] if beams else [])])
        ]
        joined = Supervised(*(join_votes(side) for side in zip(*parts, strict=True)))
        if not joined.strong_train.counts.any():
            voters = len(joined.strong_train.voters)
            raise InputError(
                f"None of {len(task.strong_train.ids)} strong_train questions has a readable "
                f"answer of any of {voters} voters in seed {seed}; a student needs some. Check "
                "the votes and their ids."
            )
        return joined

    def _select(self, seed: int, arm: Arm) -> tuple[Selection, Reliability]:
        votes = self.votes(seed).strong_train
        inputs = {"votes": fingerprint(votes)}
        if arm.role == "oracle":
            inputs["truth"] = fingerprint(self.truth(seed))
        method = arm.reliability
        if isinstance(method, OnFeatures | GraphDenoising):
            inputs["questions"] = _questions(self, seed, "strong_train")
        if isinstance(method, OnFeatures):
            inputs["encoder"] = _model(method.encoder or self.study.student)
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
        pretrained = _pretrained(method.encoder or self.study.student)
        probe = Probe(**pretrained.model_dump(), max_tokens=method.max_tokens)
        asked = self.task(seed).strong_train.questions
        return read_features(pretrained, asked, method.max_tokens, self._states(probe))

    def teach(self, seed: int, name: str) -> Taught:
        """Train the student of an arm, or of the ceiling, and ask it the test questions."""
        task, student = self.task(seed), self.study.student
        asked, selection = self.lesson(seed, name)
        test, more = task.test.questions, told(student, task.kind, task.classes)
        objective = CROSS_ENTROPY if name == CEILING else self.study.arm(name).objective
        heard: dict[str, Any] = {}
        if objective.tokens:
            heard = {"objective": objective, "written": selection.written}
        elif objective != CROSS_ENTROPY:
            heard = {"objective": objective, "apart": selection.apart}
        stage = None if name == CEILING else self.study.arm(name).preference
        steps = student.planned_steps(len(asked) if self.study.match == "steps" else selection.kept)
        recipe = Recipe(
            kind="student",
            version=student.version,
            settings={**student.model_dump(mode="json"), "seed": seed, "steps": steps},
            inputs={
                "questions": _questions(self, seed, "strong_train")
                if task.classes
                else fingerprint(asked),
                "targets": fingerprint((selection.targets, selection.weights)),
                "test": _questions(self, seed, "test"),
                "model": _model(student),
                **{word: fingerprint(what) for word, what in more.items()},
                **_heard(heard),
                **({} if stage is None else {"preference": self._stage_of(seed, stage)}),
            },
            libraries=library_versions(*student.libraries),
        )

        def make(work: Path) -> dict[str, Any]:
            if isinstance(student, Probe):
                fitted: Any = _probes(self)[seed, name]
            else:
                fitted = student.fit(
                    asked,
                    selection.targets,
                    selection.weights,
                    seed=seed,
                    steps=steps,
                    checkpoints=Checkpoints(work),
                    states=self._states(student),
                    **more,
                    **heard,
                )
            record = {
                "rows": len(asked),
                "kept": selection.kept,
                "steps": len(fitted.log.loss),
                "loss": fitted.log.loss,
                "cut": fitted.cut,
            }
            if isinstance(fitted, FittedLanguageModel | FittedPreference):
                record["left_out"] = fitted.left_out
            if stage is not None:
                fitted, record["preference"] = self._prefer(seed, fitted, stage, asked)
            if isinstance(fitted, FittedLanguageModel) and not task.classes:
                return {"record": {**record, "answers": fitted.answers(test)}}
            doubts: dict[str, Floats] = {}
            if isinstance(fitted, Finetuned):
                probs, doubts = fitted.ask(test, self._states(student))
            else:
                probs = fitted.probabilities(test, self._states(student))
            return {
                "test": Predictions(model, task.test.ids, probs),
                "record": record,
                **doubts,
            }

        model = f"{student.kind} {name}"
        kept = self.store.keep(f"seed-{seed}/{name}/student", recipe, make)
        if "test" in kept:
            doubts = {name: kept[name] for name in kept if name not in ("test", "record")}
            return Taught(kept["test"], kept["record"], doubts)
        probs = self.grade(task.test, tuple(kept["record"]["answers"]), "accuracy")
        return Taught(Predictions(model, task.test.ids, probs), kept["record"], {})

    def _prefer(
        self, seed: int, fitted: FittedLanguageModel, stage: PreferenceStage, asked: Any
    ) -> tuple[FittedLanguageModel, dict[str, Any]]:
        """A student after its preference stage, and what it was taught there."""
        questions = asked[: stage.questions]
        texts = fitted.lists(questions, stage.beams)
        weak, seeds = self._weighing(seed)
        scores = weigh_answers(weak, self.task(seed).weak_train, questions, texts, seeds=seeds)
        found = best_and_worst(texts, scores)
        pairs, selection = found.lesson(questions)
        sure = found.doubt <= stage.max_doubt
        targets = selection.targets if stage.conservative else np.eye(2)[np.zeros(len(sure), int)]
        weights = selection.weights * sure
        left_out = {**found.left_out, "doubted": int((~sure).sum())}
        record: dict[str, Any] = {"pairs": int(sure.sum()), "left_out": left_out}
        if not sure.any():
            return fitted, record
        after, rewards = fitted.prefer(pairs, targets, weights, stage, seed=seed)
        lead = (rewards[:, 0] - rewards[:, 1])[sure & np.isfinite(rewards).all(axis=1)]
        record |= {"reward_margin": float(lead.mean()), "accuracy": float((lead > 0).mean())}
        return after, {**record, "doubt": float(found.doubt[sure].mean())}

    def _weighing(self, seed: int) -> tuple[list[Any], list[int]]:
        """The supervisors that weigh each other's answers, and their seeds."""
        numbers = [n for n, w in enumerate(self.study.supervisors) if getattr(w, "beams", None)]
        return [self.study.supervisors[n] for n in numbers], [_seed_of(seed, n) for n in numbers]

    def _stage_of(self, seed: int, stage: PreferenceStage) -> str:
        """Fingerprint of a preference stage and of the supervisors that judge in it."""
        weak, seeds = self._weighing(seed)
        said = [(one.model_dump(mode="json"), one.version, one.inputs()) for one in weak]
        words = stage.model_dump(mode="json")
        return fingerprint((words, said, seeds, fingerprint(self.task(seed).weak_train)))

    def lesson(self, seed: int, name: str) -> tuple[tuple[Question, ...], Selection]:
        """What is taught about which questions; open ones bring their candidates as `choices`."""
        task, split = self.task(seed), self.task(seed).strong_train
        if name == CEILING:
            selection = teach_truth(split.ids, split.truth, max(task.answers, 1))
            candidates: Any = ((spelling(text, self._reader),) for text in split.answers)
        else:
            selection, _ = self.selection(seed, self.study.arm(name))
            candidates = self.votes(seed).strong_train.candidate_texts
        if task.classes:
            return split.questions, selection
        pairs = zip(split.questions, candidates, strict=True)
        return tuple(replace(question, choices=texts) for question, texts in pairs), selection

    @property
    def _reader(self) -> ReaderName:
        """How open answers are read and compared."""
        student = self.study.student
        return student.spelling if isinstance(student, LanguageModel) else "text"

    def _numbers(self, votes: Votes, split: Split) -> Ints:
        """Numbers of the true answers of open questions among the votes' candidates."""
        return candidate_numbers(votes, _right_answers(self, split), self._reader)

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

    def _votes_of(self, numbers: tuple[int, ...], task: Task, seed: int) -> tuple[Votes, Votes]:
        """Votes of one supervisor, or of all that weigh each other's answers."""
        supervisors = [self.study.supervisors[n] for n in numbers]
        asked = [task.strong_train.questions, task.test.questions]
        drawn = [_seed_of(seed, n) for n in numbers]
        settings = [
            {**weak.model_dump(mode="json", exclude={"path"}), "seed": own}
            for weak, own in zip(supervisors, drawn, strict=True)
        ]
        first, several = supervisors[0], len(supervisors) > 1
        recipe = Recipe(
            kind="votes",
            version=first.version,
            settings={"supervisors": settings} if several else settings[0],
            inputs={
                "labelled": fingerprint(task.weak_train),
                "strong_train": _questions(self, seed, "strong_train"),
                "test": _questions(self, seed, "test"),
                "classes": fingerprint(task.classes),
                **{
                    f"{name} {n}" if several else name: what
                    for n, weak in zip(numbers, supervisors, strict=True)
                    for name, what in weak.inputs().items()
                },
            },
            libraries=library_versions(*first.libraries),
        )

        def make(_: Path) -> dict[str, Any]:
            if several:
                votes = vote_by_beam(cast(Any, supervisors), task.weak_train, asked, seeds=drawn)
            elif isinstance(first, Api):
                with Ledger(self.store.root / LEDGER) as paid:
                    votes = first.vote(
                        task.weak_train, asked, task.classes, seed=drawn[0], answers=paid
                    )
            else:
                votes = first.vote(task.weak_train, asked, task.classes, seed=drawn[0])
            return {"strong_train": votes[0], "test": votes[1]}

        name = "+".join(map(str, numbers))
        kept = self.store.keep(f"seed-{seed}/votes-{name}", recipe, make)
        return kept["strong_train"], kept["test"]

    def _states(self, student: Any) -> StatesCache | None:
        """What frozen layers make of a text, kept in the store while the study runs."""
        if student.kind != "probe" and student.train_layers is None:
            return None
        names = ("kind", "layers", "train_layers", "precision", "max_tokens")
        settings = {name: getattr(student, name, None) for name in names}
        return _texts(self).cache(settings, _model(student))


@functools.lru_cache(maxsize=16)
def _splits(run: Run, seed: int) -> tuple[Task, tuple[Leak, ...]]:
    task = split(run.source, run.study.data, seed)
    leaks = find_leaks(task)
    return apply_leak_policy(task, leaks, run.study.data.leaks), leaks


@functools.lru_cache(maxsize=16)
def _votes(run: Run, seed: int) -> Supervised:
    return run._join_votes(seed)


@functools.lru_cache(maxsize=64)
def _selection(run: Run, seed: int, name: str) -> tuple[Selection, Reliability]:
    return run._select(seed, run.study.arm(name))


@functools.lru_cache(maxsize=16)
def _truth(run: Run, seed: int) -> Ints:
    split = run.task(seed).strong_train
    return run._numbers(run.votes(seed).strong_train, split) if split.answers else split.truth


@functools.lru_cache(maxsize=16)
def _right_answers(run: Run, split: Split) -> tuple[str, ...]:
    """True answers of open questions in the reader's spelling."""
    return read_truth(split.ids, split.answers, run._reader)


@functools.lru_cache(maxsize=2)
def _texts(run: Run) -> TextStates:
    tasks = [run.task(seed) for seed in run.study.seed_list]
    splits = [tasks[0].test, *(task.strong_train for task in tasks)]
    return TextStates(run.store, [question for split in splits for question in split.questions])


@functools.lru_cache(maxsize=2)
def _probes(run: Run) -> dict[tuple[int, str], FittedProbe]:
    """The probes of all arms and seeds. All, even where one is missing: so each is what it was."""
    student = run.study.student
    assert isinstance(student, Probe)
    _, jobs = run.jobs()
    taught = [run.lesson(seed, name) for seed, name in jobs]
    row: dict[Question, int] = {}
    lessons = [
        Lesson(
            np.array([row.setdefault(question, len(row)) for question in asked], dtype=np.int64),
            selection.targets,
            selection.weights,
        )
        for asked, selection in taught
    ]
    fitted = student.fit_together(tuple(row), lessons, run._states(student))
    return dict(zip(jobs, fitted, strict=True))


def told(student: Any, kind: str, classes: tuple[str, ...]) -> dict[str, Any]:
    """What a language model must know of the task to put a question in words."""
    return {"kind": kind, "classes": classes} if isinstance(student, LanguageModel) else {}


def _heard(heard: dict[str, Any]) -> dict[str, str]:
    """Fingerprints of an arm's own objective, and of the labels apart or words that it hears."""
    if not heard:
        return {}
    objective = heard["objective"]
    words = {**objective.model_dump(mode="json"), "version": objective.version}
    found = {"objective": fingerprint(words)}
    names = [n for n, of in (("apart", objective.several), ("written", objective.tokens)) if of]
    return {**found, **{name: fingerprint(heard[name]) for name in names}}


def _seed_of(seed: int, number: int) -> int:
    """The seed of supervisor `number`, so that two with equal settings differ."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


@functools.lru_cache(maxsize=64)
def _questions(run: Run, seed: int, split: str) -> str:
    """Fingerprint of the questions of one split."""
    return fingerprint(getattr(run.task(seed), split).questions)


def _model(student: Any) -> str:
    return identity(_pretrained(student))


def _pretrained(part: Pretrained) -> Pretrained:
    """Which weights a student or supervisor uses, without how it is trained."""
    return Pretrained(**part.model_dump(include=set(Pretrained.model_fields)))
