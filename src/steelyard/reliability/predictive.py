"""Reliability from the entropy of what the supervisors predict together."""

from typing import ClassVar, Literal

from steelyard.reliability.agreement import certainty
from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import Ints, Reliability, Votes


class PredictiveEntropy(VoteEstimator):
    """Reliability as the certainty of the votes' mean distribution.

    With q(a) the mean over the readable votes on example i of the voter's P(a), and K_i answers,

        score_i = 1 - H(q) / ln K_i        H(q) = -sum_a q(a) ln q(a)  (nats)

    A vote without probabilities counts as one-hot, so that hard votes give the vote entropy. Unlike
    the vote entropy it counts how sure each voter was. An example without a readable vote has a
    uniform posterior and score 0; with a single possible answer the score is 1.

    Source: Lakshminarayanan et al. 2017, arXiv:1612.01474 (entropy of an
        ensemble's mean; scaling to [0, 1] is ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["predictive_entropy"] = "predictive_entropy"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        mean = votes.means()
        return Reliability(votes.ids, mean, certainty(mean, votes))
