"""What an estimator of reliability is to the stages that use it, and what it estimates from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from steelyard.types import Ints, Question, Reliability, Votes
from steelyard.types.task_kinds import AnswerForm, refuse_kind

if TYPE_CHECKING:
    from steelyard.models.load import Pretrained

Features: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class EstimationData:
    """Votes on N examples, and what else is known of the examples."""

    votes: Votes
    gold: Ints | None = None  # (N,), true answers of trusted examples, ABSTAIN elsewhere
    questions: Sequence[Question] = ()  # N, if the estimator needs questions
    features: Features | None = None  # (N, d), if the estimator needs features


class Estimator(Protocol):
    """An estimator of reliability. `BaseEstimator` has the defaults."""

    version: ClassVar[int]
    """Raised when estimates change without a change of settings."""
    libraries: ClassVar[tuple[str, ...]]
    """Distributions whose version may change the estimates."""
    needs_questions: ClassVar[bool]
    """Whether it looks at the questions, which a table of votes has not."""
    needs_features: ClassVar[bool]
    """Whether it looks at features of the questions: hidden states of a model."""

    @property
    def kind(self) -> str:
        """Its name in study files."""

    @property
    def feature_model(self) -> "Pretrained | None":
        """The model of the features; None takes the student's, before it is trained."""

    @property
    def feature_tokens(self) -> int:
        """Longest input of that model."""

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if it cannot judge votes on such a task."""

    def estimate_from(self, data: EstimationData) -> Reliability:
        """Posterior and score of each example."""

    def model_dump(
        self, *, mode: str = ..., exclude: Any = ..., exclude_none: bool = ...
    ) -> dict[str, Any]:
        """Its settings."""


class BaseEstimator(BaseModel):
    """Frozen settings of an estimator with the defaults of `Estimator`.

    An estimator of votes alone is a subclass with a `kind` and `estimate(votes, gold=None)`. One
    that learns nothing of voters ignores `gold`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    needs_questions: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair", "texts")
    """Forms of answers that it can judge."""
    judges_what: ClassVar[str] = "This estimator judges other tasks"
    """Begins the message about a task that it cannot judge."""
    instead: ClassVar[str] = "another estimator"
    """Ends that message."""

    @property
    def feature_model(self) -> "Pretrained | None":
        return None

    @property
    def feature_tokens(self) -> int:
        return 128

    def check_task(self, kind: str) -> None:
        refuse_kind(kind, self.answer_forms, self.judges_what, self.instead)

    def estimate_from(self, data: EstimationData) -> Reliability:
        raise NotImplementedError


class VoteEstimator(BaseEstimator):
    """An estimator of votes alone."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        """Posterior and score of each example from the votes and trusted answers."""
        raise NotImplementedError

    def estimate_from(self, data: EstimationData) -> Reliability:
        return self.estimate(data.votes, data.gold)
