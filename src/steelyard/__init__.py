"""Label aggregation, label quality, and weak-to-strong training.

Several labels per item become one, with a score of how far each can be trusted:

>>> import steelyard as sy
>>> rows = [{"id": "mail-1", "ann": "spam", "bob": "spam", "cyd": "ham"},
...         {"id": "mail-2", "ann": "ham", "bob": "ham", "cyd": "ham"}]
>>> sy.weigh(rows).label_by_id
{'mail-1': 'spam', 'mail-2': 'ham'}

`sy.weigh` takes a file or a pandas DataFrame too. A study trains a student on weak labels and
compares it with majority vote, controls, the weak supervisors and the ceiling:

import steelyard as sy

result = sy.study("study.yaml")
print(result)
"""

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "data": "Data load split",
    "diagnostics.agreement": "agreement_coefficients",
    "diagnostics.alternative_annotator": "alternative_annotator",
    "diagnostics.class_shares": "ppi_mean rogan_gladen",
    "diagnostics.independence": "effective_voters",
    "diagnostics.position_bias": "position_bias",
    "diagnostics.votes_forecast": "forecast_votes",
    "errors": "ConfigError InputError SteelyardError StoreError TrainingError",
    "evaluation": "BaseMetric performance_gap_recovered",
    "generation": "BaseScorer",
    "labelling.label": "label",
    "objectives": (
        "BaseObjective ObjectiveState TokenObjective Bayesian ConfidenceLoss Conflict "
        "CrossEntropy Dir EarlyLearning Edl EdlConf EdlConfer EdlStep Entropy "
        "GeneralizedCrossEntropy Joint Logconf LogconfConfer LogconfStep NaiveMultiWeak "
        "Product ReverseKl Soft SoftConfer SoftStep Window"
    ),
    "reliability": (
        "BaseEstimator EstimationData VoteEstimator BeamEntropy CoSupervised Confidence "
        "ConfidentLearning Crowdlab DawidSkene Dirichlet Glad GoldConfusions GraphDenoising "
        "GraphSmoothing Hierarchical JointDecoding Logistic Mace Majority Margin "
        "NearestNeighbours OneCoin OpenAgreement PredictiveEntropy Robust Selective "
        "SelfConsistency SelfTraining StudentSelfTraining Topological TwoStage VoteEntropy "
        "VoteShare"
    ),
    "selection": (
        "BaseSelector select_truth FirstVoter Harden KeepAbove KeepMostReliable PerSupervisor "
        "Soften WeighByScore WeighByShare"
    ),
    "store.reply_ledger": "Ledger",
    "store.store": "Store",
    "student": (
        "BaseStudent BaseTrainedStudent TrainingData TrainingOptions Chooser Classifier "
        "LanguageModelStudent PreferenceStudent Probe"
    ),
    "studies.arms": "Arm",
    "studies.config": "Study read_study",
    "studies.grid": "GridResult grid",
    "studies.study": "Result study",
    "supervision": (
        "BaseSupervisor VoteRequest Api ChooserVoters ClassifierVoters LanguageModelVoters "
        "PreferenceVoters Tfidf VotesFile"
    ),
    "types": (
        "ABSTAIN Interval ModelAnswers Predictions Question Reliability Selection Split "
        "SupervisorTargets Task TokenTargets VoterSkill Votes join_votes"
    ),
    "weighing": "Weighed weigh",
}
"""The public names of each module; imported when first used, so `import steelyard` is fast."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(["__version__", *_HOMES])


if TYPE_CHECKING:  # the same names, for type checkers and editors
    from steelyard.data import Data as Data
    from steelyard.data import load as load
    from steelyard.data import split as split
    from steelyard.diagnostics.agreement import agreement_coefficients as agreement_coefficients
    from steelyard.diagnostics.alternative_annotator import (
        alternative_annotator as alternative_annotator,
    )
    from steelyard.diagnostics.class_shares import ppi_mean as ppi_mean
    from steelyard.diagnostics.class_shares import rogan_gladen as rogan_gladen
    from steelyard.diagnostics.independence import effective_voters as effective_voters
    from steelyard.diagnostics.position_bias import position_bias as position_bias
    from steelyard.diagnostics.votes_forecast import forecast_votes as forecast_votes
    from steelyard.errors import ConfigError as ConfigError
    from steelyard.errors import InputError as InputError
    from steelyard.errors import SteelyardError as SteelyardError
    from steelyard.errors import StoreError as StoreError
    from steelyard.errors import TrainingError as TrainingError
    from steelyard.evaluation import BaseMetric as BaseMetric
    from steelyard.evaluation import performance_gap_recovered as performance_gap_recovered
    from steelyard.generation import BaseScorer as BaseScorer
    from steelyard.labelling.label import label as label
    from steelyard.objectives import BaseObjective as BaseObjective
    from steelyard.objectives import Bayesian as Bayesian
    from steelyard.objectives import ConfidenceLoss as ConfidenceLoss
    from steelyard.objectives import Conflict as Conflict
    from steelyard.objectives import CrossEntropy as CrossEntropy
    from steelyard.objectives import Dir as Dir
    from steelyard.objectives import EarlyLearning as EarlyLearning
    from steelyard.objectives import Edl as Edl
    from steelyard.objectives import EdlConf as EdlConf
    from steelyard.objectives import EdlConfer as EdlConfer
    from steelyard.objectives import EdlStep as EdlStep
    from steelyard.objectives import Entropy as Entropy
    from steelyard.objectives import GeneralizedCrossEntropy as GeneralizedCrossEntropy
    from steelyard.objectives import Joint as Joint
    from steelyard.objectives import Logconf as Logconf
    from steelyard.objectives import LogconfConfer as LogconfConfer
    from steelyard.objectives import LogconfStep as LogconfStep
    from steelyard.objectives import NaiveMultiWeak as NaiveMultiWeak
    from steelyard.objectives import ObjectiveState as ObjectiveState
    from steelyard.objectives import Product as Product
    from steelyard.objectives import ReverseKl as ReverseKl
    from steelyard.objectives import Soft as Soft
    from steelyard.objectives import SoftConfer as SoftConfer
    from steelyard.objectives import SoftStep as SoftStep
    from steelyard.objectives import TokenObjective as TokenObjective
    from steelyard.objectives import Window as Window
    from steelyard.reliability import BaseEstimator as BaseEstimator
    from steelyard.reliability import BeamEntropy as BeamEntropy
    from steelyard.reliability import Confidence as Confidence
    from steelyard.reliability import ConfidentLearning as ConfidentLearning
    from steelyard.reliability import CoSupervised as CoSupervised
    from steelyard.reliability import Crowdlab as Crowdlab
    from steelyard.reliability import DawidSkene as DawidSkene
    from steelyard.reliability import Dirichlet as Dirichlet
    from steelyard.reliability import EstimationData as EstimationData
    from steelyard.reliability import Glad as Glad
    from steelyard.reliability import GoldConfusions as GoldConfusions
    from steelyard.reliability import GraphDenoising as GraphDenoising
    from steelyard.reliability import GraphSmoothing as GraphSmoothing
    from steelyard.reliability import Hierarchical as Hierarchical
    from steelyard.reliability import JointDecoding as JointDecoding
    from steelyard.reliability import Logistic as Logistic
    from steelyard.reliability import Mace as Mace
    from steelyard.reliability import Majority as Majority
    from steelyard.reliability import Margin as Margin
    from steelyard.reliability import NearestNeighbours as NearestNeighbours
    from steelyard.reliability import OneCoin as OneCoin
    from steelyard.reliability import OpenAgreement as OpenAgreement
    from steelyard.reliability import PredictiveEntropy as PredictiveEntropy
    from steelyard.reliability import Robust as Robust
    from steelyard.reliability import Selective as Selective
    from steelyard.reliability import SelfConsistency as SelfConsistency
    from steelyard.reliability import SelfTraining as SelfTraining
    from steelyard.reliability import StudentSelfTraining as StudentSelfTraining
    from steelyard.reliability import Topological as Topological
    from steelyard.reliability import TwoStage as TwoStage
    from steelyard.reliability import VoteEntropy as VoteEntropy
    from steelyard.reliability import VoteEstimator as VoteEstimator
    from steelyard.reliability import VoteShare as VoteShare
    from steelyard.selection import BaseSelector as BaseSelector
    from steelyard.selection import FirstVoter as FirstVoter
    from steelyard.selection import Harden as Harden
    from steelyard.selection import KeepAbove as KeepAbove
    from steelyard.selection import KeepMostReliable as KeepMostReliable
    from steelyard.selection import PerSupervisor as PerSupervisor
    from steelyard.selection import Soften as Soften
    from steelyard.selection import WeighByScore as WeighByScore
    from steelyard.selection import WeighByShare as WeighByShare
    from steelyard.selection import select_truth as select_truth
    from steelyard.store.reply_ledger import Ledger as Ledger
    from steelyard.store.store import Store as Store
    from steelyard.student import BaseStudent as BaseStudent
    from steelyard.student import BaseTrainedStudent as BaseTrainedStudent
    from steelyard.student import Chooser as Chooser
    from steelyard.student import Classifier as Classifier
    from steelyard.student import LanguageModelStudent as LanguageModelStudent
    from steelyard.student import PreferenceStudent as PreferenceStudent
    from steelyard.student import Probe as Probe
    from steelyard.student import TrainingData as TrainingData
    from steelyard.student import TrainingOptions as TrainingOptions
    from steelyard.studies.arms import Arm as Arm
    from steelyard.studies.config import Study as Study
    from steelyard.studies.config import read_study as read_study
    from steelyard.studies.grid import GridResult as GridResult
    from steelyard.studies.grid import grid as grid
    from steelyard.studies.study import Result as Result
    from steelyard.studies.study import study as study
    from steelyard.supervision import Api as Api
    from steelyard.supervision import BaseSupervisor as BaseSupervisor
    from steelyard.supervision import ChooserVoters as ChooserVoters
    from steelyard.supervision import ClassifierVoters as ClassifierVoters
    from steelyard.supervision import LanguageModelVoters as LanguageModelVoters
    from steelyard.supervision import PreferenceVoters as PreferenceVoters
    from steelyard.supervision import Tfidf as Tfidf
    from steelyard.supervision import VoteRequest as VoteRequest
    from steelyard.supervision import VotesFile as VotesFile
    from steelyard.types import ABSTAIN as ABSTAIN
    from steelyard.types import Interval as Interval
    from steelyard.types import ModelAnswers as ModelAnswers
    from steelyard.types import Predictions as Predictions
    from steelyard.types import Question as Question
    from steelyard.types import Reliability as Reliability
    from steelyard.types import Selection as Selection
    from steelyard.types import Split as Split
    from steelyard.types import SupervisorTargets as SupervisorTargets
    from steelyard.types import Task as Task
    from steelyard.types import TokenTargets as TokenTargets
    from steelyard.types import VoterSkill as VoterSkill
    from steelyard.types import Votes as Votes
    from steelyard.types import join_votes as join_votes
    from steelyard.weighing import Weighed as Weighed
    from steelyard.weighing import weigh as weigh

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("steelyard")
        if name not in _HOMES:
            raise AttributeError(f"module 'steelyard' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"steelyard.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return list(__all__)
