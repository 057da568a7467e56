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
    "Chooser": "student",
    "ChooserVoters": "supervision",
    "Classifier": "student",
    "ClassifierVoters": "supervision",
    "Confidence": "reliability",
    "ConfigError": "errors",
    "Data": "data",
    "FirstVoter": "selection",
    "Harden": "selection",
    "InputError": "errors",
    "Interval": "types",
    "KeepMostReliable": "selection",
    "Ledger": "store.ledger",
    "Margin": "reliability",
    "Predictions": "types",
    "Probe": "student",
    "Question": "types",
    "Reliability": "types",
    "Result": "studies.study",
    "Selection": "types",
    "Soften": "selection",
    "Split": "types",
    "SteelyardError": "errors",
    "Store": "store.store",
    "StoreError": "errors",
    "Study": "studies.config",
    "Task": "types",
    "Tfidf": "supervision",
    "TrainingError": "errors",
    "VoteEntropy": "reliability",
    "VoteShare": "reliability",
    "Votes": "types",
    "VotesFile": "supervision",
    "Weighed": "weighing",
    "WeighByScore": "selection",
    "WeighByShare": "selection",
    "join_votes": "types",
    "label": "labelling",
    "load": "data",
    "performance_gap_recovered": "evaluation",
    "read_study": "studies.config",
    "split": "data",
    "study": "studies.study",
    "select_truth": "selection",
    "weigh": "weighing",
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
