"""Votes and no training: how far each label, and each voter, can be trusted."""

from steelyard.weighing.weigh import Weighed, weigh

__all__ = [
    "Weighed",
    "weigh",
]
