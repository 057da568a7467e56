"""What a student minimises: settings of a study, and the objective that they make.

An arm is reliability, selection and objective. Those of one label for each example take the
selection's targets; those of several supervisors take its labels apart (`selection: apart`); those
of single tokens (`tokens`, `flat_tokens`, `whole_answers`) take its words.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.objectives.multi_supervisor import Bayesian, Joint, NaiveMultiWeak
from steelyard.objectives.one_label import (
    ConfidenceLoss,
    CrossEntropy,
    Entropy,
    Product,
    ReverseKl,
    Window,
)
from steelyard.objectives.tokens import Edl, EdlStep, LogconfStep, Soft, SoftStep
from steelyard.objectives.uniform_tokens import Dir, EdlConf, EdlConfer, SoftConfer
from steelyard.objectives.whole_answers import Logconf, LogconfConfer
from steelyard.types import Floats, SupervisorTargets

if TYPE_CHECKING:
    from steelyard.objectives.state import Objective as Running

__all__ = [
    "CROSS_ENTROPY",
    "Bayesian",
    "ConfidenceLoss",
    "CrossEntropy",
    "Dir",
    "Edl",
    "EdlConf",
    "EdlConfer",
    "EdlStep",
    "Entropy",
    "Joint",
    "Logconf",
    "LogconfConfer",
    "LogconfStep",
    "NaiveMultiWeak",
    "Objective",
    "Product",
    "ReverseKl",
    "Soft",
    "SoftConfer",
    "SoftStep",
    "Window",
    "begin",
    "refuse_tokens",
]

Objective: TypeAlias = Annotated[
    CrossEntropy
    | ConfidenceLoss
    | Product
    | Window
    | Entropy
    | ReverseKl
    | NaiveMultiWeak
    | Joint
    | Bayesian
    | Soft
    | SoftStep
    | SoftConfer
    | Logconf
    | LogconfStep
    | LogconfConfer
    | Edl
    | EdlStep
    | EdlConf
    | EdlConfer
    | Dir,
    Field(discriminator="kind"),
]

CROSS_ENTROPY = CrossEntropy()
"""What every student minimises unless its arm says otherwise, and the ceiling."""


def refuse_tokens(objective: Objective, student: str) -> None:
    """Raise ConfigError if the objective is of single tokens, which the student does not write."""
    if objective.tokens:
        raise ConfigError(
            f"`objective: {objective.kind}` is of single tokens, and a {student} writes none; use "
            "a `language_model` student, or another objective."
        )


def begin(
    objective: Any, targets: Floats, weights: Floats, apart: SupervisorTargets | None
) -> "Running":
    """The objective of a training run on the examples with a weight.

    Args:
        objective: settings of one of the kinds.
        targets: (N, K).
        weights: (N,), >= 0.
        apart: labels of the same examples by supervisor.
    """
    kept = weights > 0
    some = None if apart is None else replace(apart, targets=apart.targets[kept])
    running: Running = objective.begin(targets[kept], some)
    return running
