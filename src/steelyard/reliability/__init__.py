"""3. Votes to Reliability: how far can each weak label be trusted?

A new estimator is one file, one name in `EstimatorSettings`, and one test; outside the package
it is one file (see `examples/own_estimator.py`). Its method is `estimate(votes, gold=None)`: `gold`
(N,) has the true answer of trusted examples and ABSTAIN elsewhere. Estimators that learn about
voters hold these answers fixed, the others ignore them. Estimators with `needs_questions` or
`needs_features` also use the examples, which only a study has. All are called by `estimate_from`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import Field

from steelyard.reliability.agreement import Confidence as Confidence
from steelyard.reliability.agreement import Majority as Majority
from steelyard.reliability.agreement import Margin as Margin
from steelyard.reliability.agreement import PredictiveEntropy as PredictiveEntropy
from steelyard.reliability.agreement import VoteEntropy as VoteEntropy
from steelyard.reliability.agreement import VoteShare as VoteShare
from steelyard.reliability.beam_entropy import BeamEntropy as BeamEntropy
from steelyard.reliability.co_supervised import CoSupervised as CoSupervised
from steelyard.reliability.confident_learning import ConfidentLearning as ConfidentLearning
from steelyard.reliability.cross_fitting import Answers as Answers
from steelyard.reliability.cross_fitting import Fold as Fold
from steelyard.reliability.crowdlab import Crowdlab as Crowdlab
from steelyard.reliability.dawid_skene import DawidSkene as DawidSkene
from steelyard.reliability.dirichlet import Dirichlet as Dirichlet
from steelyard.reliability.glad import Glad as Glad
from steelyard.reliability.gold_confusions import GoldConfusions as GoldConfusions
from steelyard.reliability.graph_denoising import GraphDenoising as GraphDenoising
from steelyard.reliability.graph_denoising import Pairs as Pairs
from steelyard.reliability.graph_smoothing import GraphSmoothing as GraphSmoothing
from steelyard.reliability.hierarchical import Hierarchical as Hierarchical
from steelyard.reliability.joint_decoding import JointDecoding as JointDecoding
from steelyard.reliability.logistic import Logistic as Logistic
from steelyard.reliability.mace import Mace as Mace
from steelyard.reliability.neighbours import NearestNeighbours as NearestNeighbours
from steelyard.reliability.on_features import OnFeatures as OnFeatures
from steelyard.reliability.one_coin import OneCoin as OneCoin
from steelyard.reliability.open_agreement import OpenAgreement as OpenAgreement
from steelyard.reliability.protocol import BaseEstimator as BaseEstimator
from steelyard.reliability.protocol import EstimationData as EstimationData
from steelyard.reliability.protocol import TrustedExamples as TrustedExamples
from steelyard.reliability.protocol import TrustedVotes as TrustedVotes
from steelyard.reliability.protocol import VoteEstimator as VoteEstimator
from steelyard.reliability.robust import Robust as Robust
from steelyard.reliability.selective import Selective as Selective
from steelyard.reliability.self_consistency import SelfConsistency as SelfConsistency
from steelyard.reliability.self_training import SelfTraining as SelfTraining
from steelyard.reliability.student_self_training import (
    StudentSelfTraining as StudentSelfTraining,
)
from steelyard.reliability.topological import Topological as Topological
from steelyard.reliability.two_stage import TwoStage as TwoStage

EstimatorSettings: TypeAlias = Annotated[
    Majority
    | VoteShare
    | VoteEntropy
    | Confidence
    | Margin
    | PredictiveEntropy
    | Dirichlet
    | JointDecoding
    | DawidSkene
    | GoldConfusions
    | OneCoin
    | Hierarchical
    | Robust
    | Glad
    | Mace
    | ConfidentLearning
    | OpenAgreement
    | SelfConsistency
    | BeamEntropy
    | NearestNeighbours
    | GraphSmoothing
    | Logistic
    | SelfTraining
    | StudentSelfTraining
    | TwoStage
    | Selective
    | CoSupervised
    | Crowdlab
    | Topological
    | GraphDenoising,
    Field(discriminator="kind"),
]
ALL_ESTIMATORS: Mapping[str, Any] = {
    cls.model_fields["kind"].default: cls for cls in get_args(get_args(EstimatorSettings)[0])
}
"""All estimators by their names."""
ESTIMATORS: Mapping[str, type[VoteEstimator]] = {
    kind: cls for kind, cls in ALL_ESTIMATORS.items() if not cls.needs_questions
}
"""Estimators of votes alone by their names."""
FEATURE_ESTIMATORS: Mapping[str, type[OnFeatures]] = {
    kind: cls
    for kind, cls in ALL_ESTIMATORS.items()
    if cls.needs_features and not cls.needs_student
}
"""Estimators that look at votes and features of the questions, by their names."""
