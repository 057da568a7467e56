"""Votes and no training: how far each label and each voter can be trusted."""

from steelyard.weighing.result import Weighed as Weighed
from steelyard.weighing.weigh import weigh as weigh
