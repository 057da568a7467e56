"""What a student minimises: for each kind its settings and its loss, in one file.

An arm is reliability, selection and objective. Objectives of one label for each example take the
selection's targets; those of several supervisors take the label of each
(`selection: per_supervisor`); those of single tokens (`tokens`, `evidential_tokens`,
`uniform_tokens`, `whole_answers`) take the supervisors' words.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.objectives.base import BaseObjective as BaseObjective
from steelyard.objectives.conflict import Conflict as Conflict
from steelyard.objectives.elr import EarlyLearning as EarlyLearning
from steelyard.objectives.evidential_tokens import Edl as Edl
from steelyard.objectives.evidential_tokens import EdlStep as EdlStep
from steelyard.objectives.gce import GeneralizedCrossEntropy as GeneralizedCrossEntropy
from steelyard.objectives.multi_supervisor import Bayesian as Bayesian
from steelyard.objectives.multi_supervisor import Joint as Joint
from steelyard.objectives.multi_supervisor import NaiveMultiWeak as NaiveMultiWeak
from steelyard.objectives.one_label import CROSS_ENTROPY as CROSS_ENTROPY
from steelyard.objectives.one_label import ConfidenceLoss as ConfidenceLoss
from steelyard.objectives.one_label import CrossEntropy as CrossEntropy
from steelyard.objectives.one_label import Entropy as Entropy
from steelyard.objectives.one_label import Product as Product
from steelyard.objectives.one_label import ReverseKl as ReverseKl
from steelyard.objectives.one_label import Window as Window
from steelyard.objectives.state import ObjectiveState as ObjectiveState
from steelyard.objectives.tokens import LogconfStep as LogconfStep
from steelyard.objectives.tokens import Soft as Soft
from steelyard.objectives.tokens import SoftStep as SoftStep
from steelyard.objectives.tokens import TokenObjective as TokenObjective
from steelyard.objectives.uniform_tokens import Dir as Dir
from steelyard.objectives.uniform_tokens import EdlConf as EdlConf
from steelyard.objectives.uniform_tokens import EdlConfer as EdlConfer
from steelyard.objectives.uniform_tokens import SoftConfer as SoftConfer
from steelyard.objectives.whole_answers import Logconf as Logconf
from steelyard.objectives.whole_answers import LogconfConfer as LogconfConfer

ObjectiveSettings: TypeAlias = Annotated[
    CrossEntropy
    | ConfidenceLoss
    | Product
    | Window
    | Entropy
    | ReverseKl
    | GeneralizedCrossEntropy
    | EarlyLearning
    | Conflict
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

"""Settings of one of the package's objectives, told apart by `kind`."""
Objective: TypeAlias = BaseObjective
"""Any objective, of the package or not."""


def refuse_tokens(objective: BaseObjective, student: str) -> None:
    """Raise ConfigError if the objective is token-level; such a student writes no tokens."""
    if objective.token_level:
        raise ConfigError(
            f"`objective: {objective.kind}` is of single tokens, and a {student} student writes "
            "none; use a `language_model` student, or another objective."
        )
