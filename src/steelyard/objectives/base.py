"""The base of all objectives: their settings, and the loss that these define."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from steelyard.objectives.reduction import softmax
from steelyard.objectives.state import ObjectiveState
from steelyard.types import Floats


class BaseObjective(BaseModel):
    """What a student minimises: fields are settings, `loss` is the function.

    An objective outside the package is a subclass with a `kind` and a `loss`; see
    `examples/own_objective.py`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    version: ClassVar[int] = 1
    """Raised whenever a change of the code moves results."""
    lazy_logits: ClassVar[bool] = False
    """Whether `loss` reads a language model's logits by `in_chunks` alone, so that they need not
    exist for all tokens at once."""
    per_supervisor: ClassVar[bool] = False
    """Whether it takes the label of each supervisor, (B, M, K), which needs
    `selection: per_supervisor`."""
    opposes_truth: ClassVar[bool] = False
    """Whether it takes the true answers behind the labels, (B, 2, K), to draw the student away from
    them; rows of zeros have no such aim."""
    token_level: ClassVar[bool] = False
    """Whether it is a loss of single tokens, which only a language model has."""
    uses_entropy: ClassVar[bool] = False
    """Whether it compares the student with the entropy of the supervisors' lists of answers."""

    if TYPE_CHECKING:
        kind: str
        """Its name in a study, a `Literal` with itself as the default."""

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        """The state of a new training run.

        Args:
            targets: of the examples with a weight, (N, K); (N, M, K) where `per_supervisor`, and
                (N, 2, K) where `opposes_truth`.
            supervisor_weights: (M,), sum to 1, where `per_supervisor`.
        """
        return ObjectiveState()

    def loss(self, logits: Tensor, targets: Any, weights: Tensor, state: ObjectiveState) -> Tensor:
        """The loss of B of the step's examples, divided by B, in nats.

        Args:
            logits: (B, K) of a classifier; of a language model those of all answer tokens, (T, V).
            targets: (B, K), rows sum to 1; (B, M, K) where `per_supervisor`, with rows of zeros for
                supervisors that abstain; (B, 2, K) where `opposes_truth`; `AnswerTargets` for a
                language model.
            weights: (B,), not negative.
            state: of the training run; the loss reads it and leaves it unchanged.
        """
        raise NotImplementedError

    @property
    def opposed_share(self) -> float:
        """Share of the rows whose truth is opposed, where `opposes_truth`."""
        return 1.0

    @property
    def matches_class_shares(self) -> bool:
        """Whether it hardens predictions in the shares of classes, which options do not have."""
        return False

    def single_labels(self, targets: Tensor, state: ObjectiveState) -> Tensor:
        """One label for each example, (B, K), for the shares of classes that `state` keeps."""
        return targets

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities that a student trained with this objective means by its logits, (B, K)."""
        return softmax(logits)

    def uncertainties(self, logits: Tensor) -> dict[str, Tensor]:
        """Measures of uncertainty beyond the probabilities, by name, (B,) each.

        Empty unless the student answers with a distribution over probabilities.
        """
        return {}
