"""The nouns. Every stage takes some of these and returns one of these.

Sizes: N examples, V voters, M votes, K answers (classes, options or candidates).
Row i of an array belongs to ids[i]. Arrays are checked once, where they cross a stage's border.
"""

from steelyard.types.arrays import Floats, Ints, one_hot, rows_of
from steelyard.types.joined import join_votes
from steelyard.types.predictions import Interval, ModelAnswers, Predictions
from steelyard.types.questions import PAIR, Question, Split, Task, chosen_place
from steelyard.types.reliability import Reliability, VoterSkill
from steelyard.types.selection import Selection, SupervisorTargets, TokenTargets
from steelyard.types.votes import ABSTAIN, NO_CANDIDATE, Votes
from steelyard.types.words import Spans, WordProbabilities

__all__ = [
    "ABSTAIN",
    "SupervisorTargets",
    "Floats",
    "Interval",
    "ModelAnswers",
    "Ints",
    "NO_CANDIDATE",
    "PAIR",
    "Predictions",
    "Question",
    "Reliability",
    "Selection",
    "Spans",
    "Split",
    "Task",
    "VoterSkill",
    "Votes",
    "WordProbabilities",
    "TokenTargets",
    "chosen_place",
    "join_votes",
    "one_hot",
    "rows_of",
]
