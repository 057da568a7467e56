"""Reliability from the votes on one example alone: their shares, entropy and probabilities."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.types.arrays import row_entropy


class _VoteShares(VoteEstimator):
    version: ClassVar[int] = 1

    temperature: float | None = Field(None, gt=0)
    """Sharpens the shares; the paper's is 0.2, and 1 for two votes per example."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        posterior = votes.shares()
        shares = posterior if self.temperature is None else votes.sharpened(self.temperature)
        score = np.clip(shares.max(axis=1), 0, 1)
        return Reliability(votes.ids, posterior, np.where(votes.answered, score, 0.0))


class Majority(_VoteShares):
    """Every readable vote counts the same; reliability is the share of the winning answer.

    With p(a) the share of answer a among the readable votes on an example, posterior p, and

        score = max_a p(a)                                        without `temperature`
        score = max_a exp(p(a) / T) / sum_a' exp(p(a') / T)       with T, a' over answers given

    A unanimous example has score 1 for any T; an example without a readable vote has a uniform
    posterior and score 0. Answers with equally many votes have equal posteriors; selections break
    the tie.

    Source: Guo and Yang 2024, arXiv:2406.19032, reliability re-weighting (`temperature`; from the
        authors' code, `our_method_reweighting.py` of Irenehere/ReliableAlignment).
    """

    kind: Literal["majority"] = "majority"


class VoteShare(_VoteShares):
    """Another name of `majority`."""

    kind: Literal["vote_share"] = "vote_share"


class VoteEntropy(VoteEstimator):
    """Reliability as one minus the normalized entropy of the votes.

    With p(a) the share of answer a among the readable votes on example i, which has K_i answers,

        H_i = -sum_a p(a) ln p(a)  (nats)        score_i = 1 - H_i / ln K_i

    An example without a readable vote has a uniform posterior and score 0; with a single possible
    answer the score is 1.

    The paper's code counts unreadable answers as another answer (`unreadable: answer`): p(a) is
    then a share of all votes, H_i has a term for the unreadable ones and is divided by
    ln(K_i + 1), and unanimously unreadable votes are certain, with score 1. They still have no
    label, and selections drop them; in the paper the student is trained on their text.

    Source: Guo and Yang 2024, arXiv:2406.19032, uncertainty filtering (from the authors' code,
        `our_method_uncertainty_filtering.py` of Irenehere/ReliableAlignment; dropping
        abstentions and scaling to [0, 1] are ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["vote_entropy"] = "vote_entropy"
    unreadable: Literal["abstains", "answer"] = "abstains"
    """Whether unreadable answers are ignored, or count as another answer (as in the paper)."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        posterior = votes.shares()
        if self.unreadable == "answer":
            return Reliability(votes.ids, posterior, _certainty_of_all(votes))
        return Reliability(votes.ids, posterior, certainty(posterior, votes))


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
        score = np.clip(mean.max(axis=1), 0, 1)
        return Reliability(votes.ids, mean, np.where(votes.answered, score, 0))


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
        lead = np.clip(ranked[:, -1] - second, 0, 1)
        return Reliability(votes.ids, mean, np.where(votes.answered, lead, 0))


class PredictiveEntropy(VoteEstimator):
    """Reliability as one minus the normalized entropy of the votes' mean distribution.

    With q(a) the mean over the readable votes on example i of the voter's P(a), and K_i answers,

        score_i = 1 - H(q) / ln K_i        H(q) = -sum_a q(a) ln q(a)  (nats)

    A vote without probabilities counts as one-hot, so that hard votes give the vote entropy. Unlike
    the vote entropy it counts how confident each voter was. An example without a readable vote has
    a uniform posterior and score 0; with a single possible answer the score is 1.

    Source: Lakshminarayanan et al. 2017, arXiv:1612.01474 (entropy of an
        ensemble's mean; scaling to [0, 1] is ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["predictive_entropy"] = "predictive_entropy"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        mean = votes.means()
        return Reliability(votes.ids, mean, certainty(mean, votes))


def certainty(rows: Floats, votes: Votes) -> Floats:
    """1 - entropy / ln K_i of each row, in [0, 1]; 0 without a readable vote."""
    largest = np.log(np.maximum(votes.candidates, 1))
    share = np.divide(row_entropy(rows), largest, out=np.zeros(len(rows)), where=largest > 0)
    return np.where(votes.answered, np.clip(1 - share, 0, 1), 0.0)


def _certainty_of_all(votes: Votes) -> Floats:
    """`certainty` with the unreadable votes as another answer; 0 where there is no vote."""
    unreadable = np.bincount(votes.example[votes.answer == ABSTAIN], minlength=len(votes.ids))
    counts = np.column_stack([votes.counts, unreadable])
    total = counts.sum(axis=1, keepdims=True)
    share = row_entropy(counts / np.maximum(total, 1)) / np.log(votes.candidates + 1)
    return np.where(total[:, 0] > 0, np.clip(1 - share, 0, 1), 0.0)
