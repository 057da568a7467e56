"""The nouns. Every stage takes some of these and returns one of these.

Sizes: N examples, V voters, M votes, K answers (classes, options or candidates).
Row i of an array belongs to ids[i]. Arrays are checked once, where they cross a stage's border.
"""

from steelyard.types.arrays import Floats as Floats
from steelyard.types.arrays import Ints as Ints
from steelyard.types.arrays import one_hot as one_hot
from steelyard.types.arrays import rows_of as rows_of
from steelyard.types.joined import join_votes as join_votes
from steelyard.types.option_log_probs import OptionLogProbs as OptionLogProbs
from steelyard.types.predictions import Interval as Interval
from steelyard.types.predictions import ModelAnswers as ModelAnswers
from steelyard.types.predictions import Predictions as Predictions
from steelyard.types.questions import PAIR as PAIR
from steelyard.types.questions import PairQuestion as PairQuestion
from steelyard.types.questions import Question as Question
from steelyard.types.questions import Split as Split
from steelyard.types.questions import Task as Task
from steelyard.types.questions import chosen_position as chosen_position
from steelyard.types.reliability import Reliability as Reliability
from steelyard.types.reliability import VoterSkill as VoterSkill
from steelyard.types.selection import Selection as Selection
from steelyard.types.selection import SupervisorTargets as SupervisorTargets
from steelyard.types.selection import TokenTargets as TokenTargets
from steelyard.types.votes import ABSTAIN as ABSTAIN
from steelyard.types.votes import NO_CANDIDATE as NO_CANDIDATE
from steelyard.types.votes import Votes as Votes
from steelyard.types.words import Spans as Spans
from steelyard.types.words import WordProbabilities as WordProbabilities
