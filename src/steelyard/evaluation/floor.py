"""The floor: the answers of the weak supervisors on the test questions."""

from dataclasses import replace

import numpy as np

from steelyard.errors import ConfigError
from steelyard.types import ABSTAIN, Floats, Votes


def floor_members(votes: Votes) -> list[Floats]:
    """The weak supervisors' answers on closed test questions, one (N, K) array for each voter.

    The floor is the mean score of single voters. Where voters answer different questions, as
    people do, there is only one array: the first readable vote on each question.

    Raises:
        ConfigError: there are no votes.
    """
    return [member.means() for member in single_voters(votes)]


def single_voters(votes: Votes) -> list[Votes]:
    """The votes of each voter, or the first readable vote on each question.

    The second is returned, as the votes of one voter, where voters answered different questions.

    Raises:
        ConfigError: there are no votes.
    """
    if not len(votes.answer):
        raise ConfigError("There are no votes on test questions.")
    full = len(votes.ids) * len(votes.queries)
    if (np.bincount(votes.voter, minlength=len(votes.voters)) == full).all():
        return [votes.of_voter(v) for v in range(len(votes.voters))]
    readable = np.flatnonzero(votes.answer != ABSTAIN)
    _, first = np.unique(votes.example[readable], return_index=True)
    rows = readable[first]
    return [replace(votes.take(rows), probs=None)]
