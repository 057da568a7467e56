"""The floor: the answers of the weak supervisors on the test questions."""

from dataclasses import replace

import numpy as np

from steelyard.errors import ConfigError
from steelyard.types import ABSTAIN, Votes


def single_voters(votes: Votes) -> list[Votes]:
    """The votes of each voter on the test questions; the floor is their mean score.

    Where voters answer different questions, as people do, the first readable vote on each question
    is returned as the votes of a single voter.

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
