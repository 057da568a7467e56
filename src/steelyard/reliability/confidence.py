"""Reliability from what the supervisors themselves say about their certainty."""

from typing import ClassVar, Literal

import numpy as np

from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import Ints, Reliability, Votes


class Confidence(VoteEstimator):
    """Reliability as the largest probability of the votes' mean distribution.

        q(a) = mean over the readable votes of the voter's P(a)        score = max_a q(a)

    A vote without probabilities counts as one-hot, so that hard votes give the vote share. An
    example without a readable vote has a uniform posterior and score 0.

    Source: Hendrycks and Gimpel 2017, arXiv:1610.02136, section 2 (maximum softmax probability;
        of an ensemble's mean as in Lakshminarayanan et al. 2017, arXiv:1612.01474).
    """

    version: ClassVar[int] = 1

    kind: Literal["confidence"] = "confidence"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        mean = votes.means()
        answered = votes.counts.sum(axis=1) > 0
        return Reliability(votes.ids, mean, np.where(answered, np.clip(mean.max(axis=1), 0, 1), 0))


class Margin(VoteEstimator):
    """Reliability as the lead of the first answer over the second in the mean distribution.

        score = q(first) - q(second), in [0, 1]; 1 where only one answer is possible

    Source: Scheffer et al. 2001, "Active Hidden Markov Models for Information Extraction"
        (margin sampling).
    """

    version: ClassVar[int] = 1

    kind: Literal["margin"] = "margin"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        mean = votes.means()
        ranked = np.sort(mean, axis=1)
        second = ranked[:, -2] if mean.shape[1] > 1 else np.zeros(len(mean))
        answered = votes.counts.sum(axis=1) > 0
        lead = np.clip(ranked[:, -1] - second, 0, 1)
        return Reliability(votes.ids, mean, np.where(answered, lead, 0))
