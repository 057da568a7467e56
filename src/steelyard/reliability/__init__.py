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

from steelyard.reliability.agreement import (
    Confidence,
    Majority,
    Margin,
    PredictiveEntropy,
    VoteEntropy,
    VoteShare,
)
from steelyard.reliability.beam_entropy import BeamEntropy
from steelyard.reliability.confident_learning import ConfidentLearning
from steelyard.reliability.dawid_skene import DawidSkene
from steelyard.reliability.dirichlet import Dirichlet
from steelyard.reliability.glad import Glad
from steelyard.reliability.graph_denoising import GraphDenoising, Pairs
from steelyard.reliability.hierarchical import Hierarchical
from steelyard.reliability.joint_decoding import JointDecoding
from steelyard.reliability.logistic import Logistic
from steelyard.reliability.mace import Mace
from steelyard.reliability.neighbours import NearestNeighbours
from steelyard.reliability.on_features import OnFeatures
from steelyard.reliability.one_coin import OneCoin
from steelyard.reliability.open_agreement import OpenAgreement
from steelyard.reliability.protocol import (
    BaseEstimator,
    EstimationData,
    VoteEstimator,
)
from steelyard.reliability.self_consistency import SelfConsistency
from steelyard.reliability.topological import Topological

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
    | OneCoin
    | Hierarchical
    | Glad
    | Mace
    | ConfidentLearning
    | OpenAgreement
    | SelfConsistency
    | BeamEntropy
    | NearestNeighbours
    | Logistic
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
    kind: cls for kind, cls in ALL_ESTIMATORS.items() if cls.needs_features
}
"""Estimators that look at features of the questions, by their names."""

__all__ = [
    "ALL_ESTIMATORS",
    "ESTIMATORS",
    "FEATURE_ESTIMATORS",
    "BaseEstimator",
    "BeamEntropy",
    "Confidence",
    "ConfidentLearning",
    "DawidSkene",
    "Dirichlet",
    "EstimationData",
    "EstimatorSettings",
    "Glad",
    "GraphDenoising",
    "Hierarchical",
    "JointDecoding",
    "Logistic",
    "Mace",
    "Majority",
    "Margin",
    "NearestNeighbours",
    "OnFeatures",
    "OneCoin",
    "OpenAgreement",
    "Pairs",
    "PredictiveEntropy",
    "SelfConsistency",
    "Topological",
    "VoteEntropy",
    "VoteEstimator",
    "VoteShare",
]
