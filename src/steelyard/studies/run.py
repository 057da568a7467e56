"""A study with the store of its results and its data, each read once."""

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from steelyard.data import Leak, LoadedData, apply_leak_policy, find_leaks, hold_out, load, split
from steelyard.evaluation import canonical_truth
from steelyard.models.finetune import StatesCache
from steelyard.models.load import Pretrained, identity
from steelyard.prompts import AnswerFormat
from steelyard.store.store import Store, fingerprint
from steelyard.student import Student
from steelyard.studies.config import Study
from steelyard.studies.hidden_states import TextStates
from steelyard.types import Split, Task

T = TypeVar("T")


class Folds(NamedTuple):
    """Seeds 0, 1, ... are folds: one part of a seed's weak_train is the test split of each."""

    parts: int
    seed: int


@dataclass(frozen=True, eq=False)
class Run:
    """A study, the store of its results, and what this process has read of them.

    Votes, selections and students are made by `votes`, `selecting` and `training`, which keep them
    here (`once`): nothing of a study outlives its run.

    Args:
        study: what is studied.
        store: where results are kept.
        base: folder that relative data paths start from.
        folds: of weak_train, where arms are tried on known truth; None for the study itself.
    """

    study: Study
    store: Store
    base: Path = Path()
    folds: Folds | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `make()`, which is called only once per key."""
        if key not in self._kept:
            self._kept[key] = make()
        return cast(T, self._kept[key])

    @functools.cached_property
    def source(self) -> LoadedData:
        """All rows of the data set, checked."""
        source = load(self.study.task, self.study.data, self.base)
        ids = {*source.train.ids, *source.test.ids}
        for supervisor in self.study.supervisors:
            supervisor.check_ids(ids)
        return source

    @functools.cached_property
    def train_groups(self) -> dict[str, int]:
        """Group number of every train row by its id."""
        names = {name: i for i, name in enumerate(dict.fromkeys(self.source.groups))}
        pairs = zip(self.source.train.ids, self.source.groups, strict=True)
        return {row: names[group] for row, group in pairs}

    def splits(self, seed: int) -> tuple[Task, tuple[Leak, ...]]:
        """The splits of a seed, and the texts that were in two of them before the leak policy."""

        def make() -> tuple[Task, tuple[Leak, ...]]:
            task = split(self.source, self.study.data, seed)
            leaks = find_leaks(task)
            return apply_leak_policy(task, leaks, self.study.data.leaks), leaks

        return self.once(("splits", seed), make)

    def task(self, seed: int) -> Task:
        """The splits of a seed after the leak policy, or with a fold as test split."""
        if self.folds is None:
            return self.splits(seed)[0]
        whole, of = self.splits(self.folds.seed)[0], self.folds
        return self.once(("fold", seed), lambda: hold_out(whole, seed, of.parts, of.seed))

    def questions(self, seed: int, name: str) -> str:
        """Fingerprint of the questions of one split, such as `strong_train`."""

        def make() -> str:
            part: Split = getattr(self.task(seed), name)
            return fingerprint(part.questions)

        return self.once(("questions", seed, name), make)

    def reference_texts(self, split: Split) -> tuple[str, ...]:
        """True answers of a split's open questions in the study's spelling."""
        return self.once(
            ("reference_texts", split),
            lambda: canonical_truth(split.ids, split.reference_texts, self.answer_format),
        )

    def identity(self, pretrained: Pretrained) -> str:
        """Fingerprint of the weights of a model."""
        return self.once(("identity", pretrained), lambda: identity(pretrained))

    @property
    def answer_format(self) -> AnswerFormat:
        """How open answers are read and compared."""
        return self.study.student.spelling

    @property
    def asks_weak_train(self) -> bool:
        """Whether students are asked the questions of weak_train too, to choose a threshold."""
        return self.study.threshold is not None and self.folds is None

    def states(self, student: Student) -> StatesCache | None:
        """Hidden states of frozen layers, kept in the store while the study runs."""
        settings, pretrained = student.frozen_settings(), student.pretrained
        if settings is None or pretrained is None:
            return None
        return self._texts.cache(settings, self.identity(pretrained))

    @functools.cached_property
    def _texts(self) -> TextStates:
        tasks = [self.task(seed) for seed in self.study.seed_list]
        splits = [tasks[0].test, *(task.strong_train for task in tasks)]
        of_gold = self.study.trains_on_gold or self.asks_weak_train
        if self.study.reference_names or self.folds or of_gold:
            splits += [task.weak_train for task in tasks]
        return TextStates(self.store, [question for part in splits for question in part.questions])
