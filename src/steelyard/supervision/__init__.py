"""2. Questions to Votes: weak supervisors are trained and asked.

A new supervisor is one file, and a name in `kinds.py`; outside the package it is one file (see
`examples/own_supervisor.py`). The kinds are imported when they are first used, because some bring
torch, and `steelyard weigh` reads votes without it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from steelyard.supervision.protocol import BaseSupervisor as BaseSupervisor
from steelyard.supervision.protocol import VoteRequest as VoteRequest

if TYPE_CHECKING:
    from steelyard.supervision.kinds import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name[0].isupper():  # a kind; modules of this package begin with a small letter
        return getattr(importlib.import_module("steelyard.supervision.kinds"), name)
    raise AttributeError(f"module 'steelyard.supervision' has no attribute {name!r}")
