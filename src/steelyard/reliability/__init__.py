"""3. Votes to Reliability: how far can each weak label be trusted?

A new estimator is one file, one name in `Estimator` and one test. Its verb is
`estimate(votes, gold=None)`: `gold` (N,) has the true answer of trusted examples and ABSTAIN
elsewhere. Estimators that learn about voters hold these answers fixed, the others pass over them.

`FeatureEstimator`s also look at the examples: `estimate(votes, features)`, with features (N, d) in
the order of `votes.ids`. A study has them; a table of votes alone has not. So it is with
`GraphDenoising`, `estimate(votes, pairs=pairs)`, which must know which candidates are compared.
"""

from typing import Annotated, TypeAlias

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
from steelyard.reliability.self_consistency import SelfConsistency
from steelyard.reliability.topological import Topological

Estimator: TypeAlias = Annotated[
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
    | BeamEntropy,
    Field(discriminator="kind"),
]
ESTIMATORS = {
    cls.model_fields["kind"].default: cls
    for cls in (
        Majority,
        VoteShare,
        VoteEntropy,
        Confidence,
        Margin,
        PredictiveEntropy,
        Dirichlet,
        JointDecoding,
        DawidSkene,
        OneCoin,
        Hierarchical,
        Glad,
        Mace,
        ConfidentLearning,
        OpenAgreement,
        SelfConsistency,
        BeamEntropy,
    )
}

FeatureEstimator: TypeAlias = Annotated[
    NearestNeighbours | Logistic | Topological, Field(discriminator="kind")
]
FEATURE_ESTIMATORS = {
    cls.model_fields["kind"].default: cls for cls in (NearestNeighbours, Logistic, Topological)
}

__all__ = [
    "ESTIMATORS",
    "FEATURE_ESTIMATORS",
    "BeamEntropy",
    "Confidence",
    "ConfidentLearning",
    "DawidSkene",
    "Dirichlet",
    "Estimator",
    "FeatureEstimator",
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
    "VoteShare",
]
