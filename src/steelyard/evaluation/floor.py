"""The floor: what the weak supervisors themselves answer."""

from dataclasses import replace

import numpy as np

from steelyard.errors import ConfigError
from steelyard.types import ABSTAIN, Floats, Votes


def floor_members(votes: Votes) -> list[Floats]:
    """The weak supervisors' answers on closed test questions, one (N, K) array for each voter.

    The floor is the mean score of single voters. Where voters answer different questions, as
    people do, there is one member: the first readable vote on each question.

    Raises:
        ConfigError: there is no vote at all.
    """
    return [member.means() for member in single_voters(votes)]


def single_voters(votes: Votes) -> list[Votes]:
    """The votes of each voter; the first readable one on each question where they differ in these.

    Raises:
        ConfigError: there is no vote at all.
    """
    if not len(votes.answer):
        raise ConfigError("There are no votes on test questions.")
    full = len(votes.ids) * len(votes.queries)
    if (np.bincount(votes.voter, minlength=len(votes.voters)) == full).all():
        return [votes.of_voter(v) for v in range(len(votes.voters))]
    read = np.flatnonzero(votes.answer != ABSTAIN)
    _, first = np.unique(votes.example[read], return_index=True)
    rows = read[first]
    columns = {n: getattr(votes, n)[rows] for n in ("example", "voter", "query", "answer")}
    return [replace(votes, **columns, probs=None, texts=(), reasons=())]
