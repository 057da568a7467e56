"""2. Questions to Votes: weak supervisors are trained and asked.

A new supervisor is one file, and a name in `kinds.py` and here. The kinds are imported when they
are first used, because some bring torch, and `steelyard weigh` reads votes without it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steelyard.supervision.kinds import (
        Api,
        ChooserVoters,
        ClassifierVoters,
        LanguageModelVoters,
        PreferenceVoters,
        Supervisor,
        Tfidf,
        VotesFile,
    )

__all__ = [
    "Api",
    "ChooserVoters",
    "ClassifierVoters",
    "LanguageModelVoters",
    "PreferenceVoters",
    "Supervisor",
    "Tfidf",
    "VotesFile",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'steelyard.supervision' has no attribute {name!r}")
    return getattr(importlib.import_module("steelyard.supervision.kinds"), name)
