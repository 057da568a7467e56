"""Students before and after training, and their training data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict

from steelyard.errors import ConfigError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import StatesCache
from steelyard.models.lm.save_lm import SavedWeights
from steelyard.models.load import Pretrained
from steelyard.models.train import Training, TrainingLog
from steelyard.objectives import CROSS_ENTROPY, BaseObjective, Objective, refuse_tokens
from steelyard.prompts import AnswerFormat
from steelyard.student.model_card import PromptText
from steelyard.types import Floats, Ints, Question, SupervisorTargets, TokenTargets
from steelyard.types.predictions import ModelAnswers
from steelyard.types.task_kinds import AnswerForm, Kind, refuse_kind

if TYPE_CHECKING:
    from steelyard.student.preference_stage import PreferenceStage


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Questions with their labels and weights, and the loss that is minimised on them."""

    kind: Kind
    classes: tuple[str, ...]  # names; of multiple choice option numbers, of open answers none
    questions: Sequence[Question]  # N; open ones have their candidates as `choices`
    targets: Floats  # (N, K), rows sum to 1
    weights: Floats  # (N,), >= 0
    objective: Objective = CROSS_ENTROPY
    per_supervisor: SupervisorTargets | None = None  # for objectives of several supervisors
    token_targets: TokenTargets | None = None  # for objectives of single tokens
    opposed: Floats | None = None  # (N, K), truth that an objective opposes; rows of zeros: none
    levels: Ints | None = None  # (N,), lower ones come first in an epoch; None: in random order


@dataclass(frozen=True, eq=False)
class TrainingOptions:
    """Options of one training run, apart from a student's settings."""

    seed: int = 0  # random seed of the head or adapters, the order of examples and dropout
    steps: int | None = None  # optimizer steps; None takes `epochs` over the kept examples
    checkpoints: Checkpoints | None = None  # from which a killed run resumes
    states: StatesCache | None = None  # stores the states of frozen layers


class TrainedModel(Protocol):
    """A student after training. `BaseTrainedStudent` has the defaults."""

    @property
    def settings(self) -> BaseModel:
        """What it was trained with."""

    @property
    def log(self) -> TrainingLog:
        """Losses of the steps."""

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """Answers to N questions: probabilities of closed ones, texts of open ones."""

    def training_record(self) -> dict[str, Any]:
        """How many training rows were `truncated`, and `dropped`, where that can happen."""

    @property
    def objective(self) -> BaseObjective:
        """What it minimised, which may decide its probabilities."""

    def with_objective(self, objective: BaseObjective) -> "TrainedModel":
        """The model after `load`, which does not know what it minimised."""

    def on_task(self, kind: Kind, classes: tuple[str, ...]) -> "TrainedModel":
        """The same model that answers another task, where its student `answers_other_tasks`."""

    @property
    def prompt_text(self) -> PromptText | None:
        """The prompt that it was trained on; None without prompts."""

    def export(self, folder: Path, classes: Sequence[str], weights: SavedWeights) -> None:
        """Write weights, config and tokenizer in Hugging Face's format, for other programs.

        Args:
            folder: exists, and is empty.
            classes: names of the answers, for the config of a classifier.
            weights: which are written; `Student.check_export` refuses others.
        """


class BaseTrainedStudent:
    """Defaults of a trained student outside the package.

    A subclass has `predict`; to be saved it also needs `settings` and `export`.
    """

    @cached_property  # one that a subclass may have as a field
    def log(self) -> TrainingLog:
        """Losses of optimizer steps: none."""
        return TrainingLog()

    def training_record(self) -> dict[str, Any]:
        """Counts for the study's record, such as `truncated`: none."""
        return {}

    @property
    def objective(self) -> BaseObjective:
        """The cross-entropy."""
        return CROSS_ENTROPY

    @property
    def prompt_text(self) -> PromptText | None:
        """None: it has no prompts."""
        return None

    def with_objective(self, objective: BaseObjective) -> Self:
        """Itself: what it minimised does not decide its probabilities."""
        return self

    def on_task(self, kind: Kind, classes: tuple[str, ...]) -> TrainedModel:
        """Refuse to answer another task."""
        raise ConfigError(f"A {type(self).__name__} cannot answer other tasks.")

    def export(self, folder: Path, classes: Sequence[str], weights: SavedWeights) -> None:
        """Refuse to be saved."""
        raise ConfigError(f"A {type(self).__name__} cannot be saved; give its class an `export`.")


@dataclass(frozen=True, eq=False)
class UntrainedStudent(BaseTrainedStudent):
    """Knows nothing: every class, or every option of a question, is equally probable."""

    settings: BaseModel
    num_classes: int  # K

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """Even probabilities, (N, K)."""
        counts = np.array([len(q.choices) or self.num_classes for q in questions])[:, None]
        return ModelAnswers((np.arange(self.num_classes) < counts) / counts)

    def on_task(self, kind: Kind, classes: tuple[str, ...]) -> "UntrainedStudent":
        return replace(self, num_classes=len(classes))


class AnswerWriter(TrainedModel, Protocol):
    """A trained student that writes lists of answers and can learn preferences between them."""

    def lists(self, questions: Sequence[Question], beams: int) -> list[tuple[str, ...]]:
        """The most probable open answers, the best first, N lists."""

    def prefer(
        self,
        questions: Sequence[Question],
        targets: Floats,
        weights: Floats,
        stage: "PreferenceStage",
        *,
        seed: int,
    ) -> tuple[TrainedModel, Floats]:
        """The model after preference training, and its implicit rewards, (N, 2)."""


class BaseStudent(BaseModel):
    """A student: frozen settings that are trained by `fit`.

    A student outside the package is a subclass with a `kind` and `fit`; see
    `examples/own_student.py`. Everything else has a default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    """Raised when results change without a change of settings."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version may change the results."""
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    """Forms of answers that it can give."""
    answers_what: ClassVar[str] = "This student answers other tasks"
    """Begins the message about a task that it cannot answer."""
    instead: ClassVar[str] = "another student"
    """Ends that message."""
    minimises: ClassVar[str] = "this student minimises the cross-entropy"
    """Ends the message about an objective that it cannot minimise."""
    has_rewards: ClassVar[bool] = False
    """Whether its probabilities are those of rewards, so that margins can be measured."""
    knows_classes: ClassVar[bool] = False
    """Whether results depend on the names of the classes."""
    writes_lists: ClassVar[bool] = False
    """Whether, trained, it writes lists of answers and can learn preferences between them."""
    answers_untrained: ClassVar[bool] = False
    """Whether it can answer before any training, by `untrained`."""
    answers_other_tasks: ClassVar[bool] = False
    """Whether, trained on a task, it can answer others, by `on_task`."""
    takes_levels: ClassVar[bool] = False
    """Whether it is trained step by step, so that examples can come in an order."""
    fits_together: ClassVar[bool] = False
    """Whether all students of a study are trained in one call of `fit_all`."""

    if TYPE_CHECKING:
        kind: str
        """Its name in study files, a `Literal` with itself as the default."""

    @property
    def pretrained(self) -> Pretrained | None:
        """The model whose weights it starts from."""
        return None

    @property
    def training(self) -> Training | None:
        """How it is trained by optimizer steps; None where there are none."""
        return None

    @property
    def spelling(self) -> AnswerFormat:
        """How open answers are read and compared."""
        return "text"

    def versions(self) -> int:
        """Sum of the versions of all that makes the results."""
        return self.version

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if it cannot answer such a task."""
        refuse_kind(kind, self.answer_forms, self.answers_what, self.instead)

    def check_objective(self, objective: Objective) -> None:
        """Raise ConfigError if it cannot minimise the objective; all minimise the cross-entropy."""
        refuse_tokens(objective, self.kind)
        if objective != CROSS_ENTROPY:
            raise ConfigError(
                f"`objective: {objective.kind}` is for a classifier or chooser; {self.minimises}."
            )

    def check_saved(self) -> None:
        """Raise ConfigError if it cannot be saved after training: if it has no `load`."""
        if type(self).load is BaseStudent.load:
            raise ConfigError(
                f"A {self.kind} student cannot be saved as a model: its class has no `load`."
            )

    def check_export(self, weights: SavedWeights) -> None:
        """Raise ConfigError if it cannot be saved so; called before training."""
        if weights != "merged":
            raise ConfigError(f"A {self.kind} has no adapter that is saved alone; save it merged.")

    def loaded_by(self, weights: SavedWeights) -> str:
        """How other programs load it: a key of `model_card.LOADED_BY`, or its kind."""
        return self.kind

    def planned_steps(self, kept: int) -> int:
        """Optimizer steps for so many kept examples."""
        return 0

    def frozen_settings(self) -> Mapping[str, Any] | None:
        """Settings that decide the states of its frozen layers besides the weights, or None."""
        return None

    def fit(self, data: TrainingData, options: TrainingOptions) -> TrainedModel:
        """Train on the examples with a weight."""
        raise NotImplementedError

    def fit_all(
        self, data: Sequence[TrainingData], states: StatesCache | None
    ) -> Sequence[TrainedModel]:
        """Train a student on each of several training sets in one call."""
        return [self.fit(part, TrainingOptions(states=states)) for part in data]

    def untrained(self, kind: Kind, classes: tuple[str, ...]) -> TrainedModel:
        """The student before any training, where it `answers_untrained`."""
        raise NotImplementedError

    def fit_writer(self, data: TrainingData, options: TrainingOptions) -> AnswerWriter:
        """`fit` of a student that `writes_lists`."""
        raise NotImplementedError

    def load(self, folder: Path, kind: Kind, classes: tuple[str, ...]) -> TrainedModel:
        """The trained student that was saved to a folder: the inverse of `TrainedModel.save`."""
        raise NotImplementedError


Student: TypeAlias = BaseStudent
"""Any student, of the package or not."""
