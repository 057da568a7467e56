"""2. Questions to Votes: weak supervisors are trained and asked.

A new supervisor is one file, and a name in `kinds.py`; outside the package it is one file (see
`examples/own_supervisor.py`). The kinds are imported when they are first used, because some bring
torch, and `steelyard weigh` reads votes without it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from steelyard.supervision.protocol import BaseSupervisor, Supervisor, VoteRequest

if TYPE_CHECKING:
    from steelyard.supervision.kinds import (
        Api,
        ChooserVoters,
        ClassifierVoters,
        LanguageModelVoters,
        PreferenceVoters,
        SupervisorSettings,
        Tfidf,
        VotesFile,
    )

__all__ = [
    "Api",
    "ChooserVoters",
    "ClassifierVoters",
    "LanguageModelVoters",
    "PreferenceVoters",
    "BaseSupervisor",
    "Supervisor",
    "SupervisorSettings",
    "VoteRequest",
    "Tfidf",
    "VotesFile",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'steelyard.supervision' has no attribute {name!r}")
    return getattr(importlib.import_module("steelyard.supervision.kinds"), name)
