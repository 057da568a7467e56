"""Votes and no training: how far each label, and each voter, can be trusted."""

from steelyard.weighing.balance import Weighed, weigh

__all__ = ["Weighed", "weigh"]
