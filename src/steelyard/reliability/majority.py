"""The plain vote."""

from typing import ClassVar, Literal

import numpy as np

from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import Ints, Reliability, Votes


class Majority(VoteEstimator):
    """Every readable vote counts the same; reliability is the share of the winner.

        P(a) = votes for a / readable votes        score = max_a P(a)

    An example without a readable vote has a uniform posterior and score 0. Two answers with equally
    many votes have equal posteriors: the tie is broken where a label is made of it, not here.
    """

    version: ClassVar[int] = 1

    kind: Literal["majority"] = "majority"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        shares = votes.shares()
        answered = votes.counts.sum(axis=1) > 0
        return Reliability(votes.ids, shares, np.where(answered, shares.max(axis=1), 0.0))
