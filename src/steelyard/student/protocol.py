"""What a student is to the stages that use it, what it is trained on, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from steelyard.errors import ConfigError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import StatesCache
from steelyard.models.load import Pretrained
from steelyard.models.train import TrainingLog
from steelyard.objectives import CROSS_ENTROPY, Objective
from steelyard.prompts import AnswerFormat
from steelyard.types import Floats, Question, SupervisorTargets, TokenTargets
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


@dataclass(frozen=True, eq=False)
class TrainingOptions:
    """How one training run goes, apart from a student's settings."""

    seed: int = 0  # random seed of the head or adapters, the order of examples and dropout
    steps: int | None = None  # optimizer steps; None takes `epochs` over the kept examples
    checkpoints: Checkpoints | None = None  # where a killed run goes on
    states: StatesCache | None = None  # keeps what frozen layers make of a text


class TrainedModel(Protocol):
    """A student after training."""

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
        """What became of the training rows: `truncated`, and `dropped` where rows can be."""

    def save(self, folder: Path) -> None:
        """Write weights, config and tokenizer in Hugging Face's format."""


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


class Student(Protocol):
    """A student: settings that are trained. `BaseStudent` has the defaults."""

    version: ClassVar[int]
    """Raised when results change without a change of settings."""
    libraries: ClassVar[tuple[str, ...]]
    """Distributions whose version may change the results."""
    answer_forms: ClassVar[tuple[AnswerForm, ...]]
    """Forms of answers that it can give."""
    has_rewards: ClassVar[bool]
    """Whether its probabilities are those of rewards, so that margins can be measured."""
    knows_classes: ClassVar[bool]
    """Whether results depend on the names of the classes."""
    writes_lists: ClassVar[bool]
    """Whether, trained, it writes lists of answers and can learn preferences between them."""
    fits_together: ClassVar[bool]
    """Whether all students of a study are trained in one call of `fit_all`."""

    @property
    def kind(self) -> str:
        """Its name in study files."""

    @property
    def pretrained(self) -> Pretrained | None:
        """The model whose weights it starts from."""

    @property
    def spelling(self) -> AnswerFormat:
        """How open answers are read and compared."""

    def versions(self) -> int:
        """Sum of the versions of all that makes the results."""

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if it cannot answer such a task."""

    def check_objective(self, objective: Objective) -> None:
        """Raise ConfigError if it cannot minimise the objective."""

    def check_saved(self) -> None:
        """Raise ConfigError if it cannot be saved after training."""

    def planned_steps(self, kept: int) -> int:
        """Optimizer steps for so many kept examples."""

    def frozen_settings(self) -> Mapping[str, Any] | None:
        """What decides the states of its frozen layers besides the weights; None without any."""

    def fit(self, data: TrainingData, options: TrainingOptions) -> TrainedModel:
        """Train on the examples with a weight."""

    def fit_all(
        self, data: Sequence[TrainingData], states: StatesCache | None
    ) -> Sequence[TrainedModel]:
        """Train a student on each of several training sets in one go."""

    def fit_writer(self, data: TrainingData, options: TrainingOptions) -> AnswerWriter:
        """`fit` of a student that `writes_lists`."""

    def load(self, folder: Path, kind: Kind, classes: tuple[str, ...]) -> TrainedModel:
        """The trained student that was saved to a folder."""

    def model_dump(self, *, mode: str = ..., exclude: Any = ...) -> dict[str, Any]:
        """Its settings."""


class BaseStudent(BaseModel):
    """Frozen settings of a student with the defaults of `Student`; `fit` is to be written.

    A student outside the package is a subclass with a `kind` and `fit`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ()
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    answers_what: ClassVar[str] = "This student answers other tasks"
    """Begins the message about a task that it cannot answer."""
    instead: ClassVar[str] = "another student"
    """Ends that message."""
    has_rewards: ClassVar[bool] = False
    knows_classes: ClassVar[bool] = False
    writes_lists: ClassVar[bool] = False
    fits_together: ClassVar[bool] = False

    @property
    def pretrained(self) -> Pretrained | None:
        return None

    @property
    def spelling(self) -> AnswerFormat:
        return "text"

    def versions(self) -> int:
        return self.version

    def check_task(self, kind: str) -> None:
        refuse_kind(kind, self.answer_forms, self.answers_what, self.instead)

    def check_objective(self, objective: Objective) -> None:
        """Refuse any objective but the cross-entropy."""
        if objective != CROSS_ENTROPY:
            raise ConfigError(
                f"`objective: {objective.kind}` is for a classifier or chooser; this student "
                "minimises the cross-entropy."
            )

    def check_saved(self) -> None:
        """It can be saved."""

    def planned_steps(self, kept: int) -> int:
        return 0

    def frozen_settings(self) -> Mapping[str, Any] | None:
        return None

    def fit(self, data: TrainingData, options: TrainingOptions) -> TrainedModel:
        raise NotImplementedError

    def fit_all(
        self, data: Sequence[TrainingData], states: StatesCache | None
    ) -> Sequence[TrainedModel]:
        return [self.fit(part, TrainingOptions(states=states)) for part in data]

    def fit_writer(self, data: TrainingData, options: TrainingOptions) -> AnswerWriter:
        raise NotImplementedError

    def load(self, folder: Path, kind: Kind, classes: tuple[str, ...]) -> TrainedModel:
        raise NotImplementedError
