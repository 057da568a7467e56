"""4. Reliability to Selection: labels and weights to train on. Filtering sets weights to 0."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.selection.above import KeepAbove as KeepAbove
from steelyard.selection.class_balance import balanced as balanced
from steelyard.selection.controls import random_keep as random_keep
from steelyard.selection.controls import shuffled_votes as shuffled_votes
from steelyard.selection.controls import shuffled_weights as shuffled_weights
from steelyard.selection.difficulty import Order as Order
from steelyard.selection.difficulty import difficulty_levels as difficulty_levels
from steelyard.selection.keep import KeepMostReliable as KeepMostReliable
from steelyard.selection.label_and_ties import FirstVoter as FirstVoter
from steelyard.selection.label_and_ties import Harden as Harden
from steelyard.selection.label_and_ties import NothingToLearn as NothingToLearn
from steelyard.selection.label_and_ties import Soften as Soften
from steelyard.selection.label_and_ties import refuse_one_label as refuse_one_label
from steelyard.selection.pairs import BestAndWorst as BestAndWorst
from steelyard.selection.pairs import best_and_worst as best_and_worst
from steelyard.selection.per_supervisor import PerSupervisor as PerSupervisor
from steelyard.selection.protocol import BaseSelector as BaseSelector
from steelyard.selection.reweight import WeighByScore as WeighByScore
from steelyard.selection.reweight import WeighByShare as WeighByShare
from steelyard.selection.risk_controlled import RiskControl as RiskControl
from steelyard.selection.risk_controlled import control_risk as control_risk
from steelyard.selection.slice_balance import balanced_by_slice as balanced_by_slice
from steelyard.selection.token_targets import select_token_targets as select_token_targets
from steelyard.selection.truth import keep_right as keep_right
from steelyard.selection.truth import select_truth as select_truth

SelectorSettings: TypeAlias = Annotated[
    FirstVoter
    | Harden
    | Soften
    | KeepMostReliable
    | KeepAbove
    | WeighByShare
    | WeighByScore
    | PerSupervisor,
    Field(discriminator="kind"),
]
