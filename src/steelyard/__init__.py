"""Train strong models on labels from weak supervisors, and weigh how far each can be trusted.

import steelyard as sy

result = sy.study("study.yaml")
print(result)
"""

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "ABSTAIN": "types",
    "Api": "supervision",
    "Arm": "studies.arms",
    "BaseEstimator": "reliability",
    "BaseObjective": "objectives.base",
    "BaseSelector": "selection",
    "BaseStudent": "student",
    "BaseSupervisor": "supervision",
    "Chooser": "student",
    "ChooserVoters": "supervision",
    "Classifier": "student",
    "ClassifierVoters": "supervision",
    "Confidence": "reliability",
    "ConfigError": "errors",
    "Data": "data",
    "EstimationData": "reliability",
    "FirstVoter": "selection",
    "Harden": "selection",
    "InputError": "errors",
    "Interval": "types",
    "join_votes": "types",
    "KeepMostReliable": "selection",
    "label": "labelling",
    "Ledger": "store.ledger",
    "load": "data",
    "Margin": "reliability",
    "ModelAnswers": "types.predictions",
    "performance_gap_recovered": "evaluation",
    "Predictions": "types",
    "Probe": "student",
    "Question": "types",
    "read_study": "studies.config",
    "Reliability": "types",
    "Result": "studies.study",
    "select_truth": "selection",
    "Selection": "types",
    "Soften": "selection",
    "Split": "types",
    "split": "data",
    "SteelyardError": "errors",
    "Store": "store.store",
    "StoreError": "errors",
    "Study": "studies.config",
    "study": "studies.study",
    "Task": "types",
    "Tfidf": "supervision",
    "TrainingData": "student",
    "TrainingError": "errors",
    "TrainingOptions": "student",
    "VoteEntropy": "reliability",
    "VoteEstimator": "reliability",
    "VoteRequest": "supervision",
    "Votes": "types",
    "VotesFile": "supervision",
    "VoteShare": "reliability",
    "weigh": "weighing",
    "WeighByScore": "selection",
    "WeighByShare": "selection",
    "Weighed": "weighing",
}
"""Public name -> the module it lives in. Imported when first used: `import steelyard` is quick."""

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'steelyard' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"steelyard.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)


if TYPE_CHECKING:
    from steelyard.studies.study import study as study
    from steelyard.weighing import weigh as weigh
