"""4. Reliability to Selection: labels and weights to train on. Filtering sets weights to 0."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.selection.break_ties import (
    FirstVoter,
    Harden,
    NothingToLearn,
    Soften,
    refuse_one_label,
)
from steelyard.selection.class_balance import balanced
from steelyard.selection.controls import random_keep, shuffled_weights
from steelyard.selection.keep import KeepMostReliable
from steelyard.selection.pairs import BestAndWorst, best_and_worst
from steelyard.selection.per_supervisor import PerSupervisor
from steelyard.selection.protocol import BaseSelector
from steelyard.selection.reweight import WeighByScore, WeighByShare
from steelyard.selection.risk_controlled import RiskControl, control_risk
from steelyard.selection.token_targets import select_token_targets
from steelyard.selection.truth import keep_right, select_truth

SelectorSettings: TypeAlias = Annotated[
    FirstVoter | Harden | Soften | KeepMostReliable | WeighByShare | WeighByScore | PerSupervisor,
    Field(discriminator="kind"),
]

__all__ = [
    "BestAndWorst",
    "FirstVoter",
    "Harden",
    "NothingToLearn",
    "PerSupervisor",
    "KeepMostReliable",
    "RiskControl",
    "BaseSelector",
    "SelectorSettings",
    "Soften",
    "WeighByScore",
    "WeighByShare",
    "balanced",
    "best_and_worst",
    "control_risk",
    "keep_right",
    "random_keep",
    "refuse_one_label",
    "shuffled_weights",
    "select_token_targets",
    "select_truth",
]
