"""The interface of an estimator of reliability, and its input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from steelyard.types import Ints, Question, Reliability, Votes
from steelyard.types.task_kinds import AnswerForm, refuse_kind

if TYPE_CHECKING:
    from steelyard.models.load import Pretrained
    from steelyard.reliability.cross_fitting import FoldPredictor
    from steelyard.reliability.robust import VoteAnalysis

Features: TypeAlias = npt.NDArray[np.float32]
Choice: TypeAlias = Literal["informed", "random"]
"""Whether an estimator chooses examples by what it learnt, or as many at random."""


@dataclass(frozen=True, eq=False)
class TrustedExamples:
    """M examples with true answers, none of which is among those that are estimated."""

    features: Features  # (M, d), d = 0 for estimators that take no features
    answers: Ints  # (M,), numbers of classes


@dataclass(frozen=True, eq=False)
class TrustedVotes:
    """Votes on M examples with true answers, none of which is among those that are estimated.

    No supervisor was trained on an example that it votes on here.
    """

    votes: Votes  # of the same voters
    answers: Ints  # (M,), numbers of classes


@dataclass(frozen=True, eq=False)
class EstimationData:
    """The input of an estimator: votes on N examples, and data about the examples."""

    votes: Votes
    gold: Ints | None = None  # (N,), true answers of trusted examples, ABSTAIN elsewhere
    questions: Sequence[Question] = ()  # N, if the estimator needs questions
    features: Features | None = None  # (N, d), if the estimator needs features
    trusted: TrustedExamples | None = None  # other examples, if the estimator uses them
    predictor: "FoldPredictor | None" = None  # trains the student, if the estimator needs it
    has_classes: bool = True  # whether all examples have one list of classes, and not options
    trusted_votes: TrustedVotes | None = None  # if the estimator needs them
    analysis: "VoteAnalysis | None" = None  # of these votes and gold, if it is known already


class BaseEstimator(BaseModel):
    """Frozen settings of an estimator; for one of votes alone, see `VoteEstimator`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1
    """Raised when estimates change without a change of settings."""
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    """Distributions whose version may change the estimates."""
    needs_questions: ClassVar[bool] = False
    """Whether it uses the questions, which a table of votes does not have."""
    needs_features: ClassVar[bool] = False
    """Whether it uses features of the questions: hidden states of a model."""
    needs_student: ClassVar[bool] = False
    """Whether it trains the student of the study on parts of the examples."""
    needs_trusted: ClassVar[bool] = False
    """Whether it cannot do without true answers of weak_train."""
    needs_gold_votes: ClassVar[bool] = False
    """Whether it needs votes on weak_train of supervisors that were not trained on its rows."""
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair", "texts")
    """Forms of answers that it can judge."""
    scope: ClassVar[str] = "This estimator is for other tasks"
    """Beginning of the message about a task that it cannot judge."""
    instead: ClassVar[str] = "another estimator"
    """End of that message."""

    kind: str
    """Name in study files."""

    @property
    def uses_gold(self) -> bool:
        """Whether it is trained on the true answers of weak_train as well."""
        return False

    @property
    def feature_model(self) -> "Pretrained | None":
        """The model of the features; None: the student's, before it is trained."""
        return None

    @property
    def feature_tokens(self) -> int:
        """Maximum number of tokens of that model's input."""
        return 128

    @property
    def at_random(self) -> "BaseEstimator | None":
        """The same with a random choice in place of its own: an arm's control; None: there is none.

        An arm without it has the control of its selection.
        """
        return None

    def training_sizes(self, examples: int, trusted: int) -> tuple[int, ...]:
        """Examples of each training of the student that it needs, about; for plans.

        Args:
            examples: that are judged.
            trusted: of known truth, if it uses them.
        """
        return ()

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if it cannot judge votes on such a task."""
        refuse_kind(kind, self.answer_forms, self.scope, self.instead)

    def estimate_from(self, data: EstimationData) -> Reliability:
        """Posterior and score of each example."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `estimate_from`; define it, or subclass `VoteEstimator` "
            "and define `estimate(votes, gold=None)`."
        )


class VoteEstimator(BaseEstimator):
    """An estimator of votes alone: a subclass has a `kind` and `estimate`."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        """Posterior and score of each example from the votes and trusted answers."""
        raise NotImplementedError

    def estimate_from(self, data: EstimationData) -> Reliability:
        return self.estimate(data.votes, data.gold)
