"""Reliability from the agreement of the votes on one example."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes


class VoteShare(VoteEstimator):
    """Reliability as the share of the votes that the winning answer has.

    With p(a) the share of answer a among the readable votes on an example,

        score = max_a p(a)                                        without `temperature`
        score = max_a exp(p(a) / T) / sum_a' exp(p(a') / T)       with T, a' over answers given

    A unanimous example has score 1 for any T; one without a readable vote has a uniform posterior
    and score 0.

    Source: Guo and Yang 2024, arXiv:2406.19032, reliability re-weighting (from the
        authors' code, `our_method_reweighting.py` of Irenehere/ReliableAlignment).
    """

    version: ClassVar[int] = 1

    kind: Literal["vote_share"] = "vote_share"
    temperature: float | None = Field(None, gt=0)
    """Sharpens the shares; the paper's is 0.2, and 1 for two votes an example."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        posterior = votes.shares()
        shares = posterior if self.temperature is None else votes.sharpened(self.temperature)
        score = np.where(votes.counts.sum(axis=1) > 0, shares.max(axis=1), 0.0)
        return Reliability(votes.ids, posterior, np.clip(score, 0, 1))


class VoteEntropy(VoteEstimator):
    """Reliability as the certainty of the vote.

    With p(a) the share of answer a among the readable votes on example i, which has K_i answers,

        H_i = -sum_a p(a) ln p(a)  (nats)        score_i = 1 - H_i / ln K_i

    An example without a readable vote has a uniform posterior and score 0; with a single possible
    answer the score is 1.

    The paper's code counts unreadable answers as one more answer (`unreadable: answer`): p(a) is
    then a share of all votes, H_i has a term for the unreadable ones and is divided by
    ln(K_i + 1), and unanimously unreadable votes are certain, with score 1. They still have no
    label, and selections leave them out; in the paper the student is taught their text.

    Source: Guo and Yang 2024, arXiv:2406.19032, uncertainty filtering (from the authors' code,
        `our_method_uncertainty_filtering.py` of Irenehere/ReliableAlignment; leaving out
        abstentions and scaling to [0, 1] are ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["vote_entropy"] = "vote_entropy"
    unreadable: Literal["abstains", "answer"] = "abstains"
    """Whether unreadable answers are left out, or count as an answer of their own (the paper's)."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        posterior = votes.shares()
        if self.unreadable == "answer":
            return Reliability(votes.ids, posterior, _certainty_of_all(votes))
        score = certainty(posterior, votes)
        return Reliability(votes.ids, posterior, score)


def entropy(rows: Floats) -> Floats:
    """-sum p ln p of each row, in nats; 0 ln 0 is 0."""
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    result: Floats = -(rows * logs).sum(axis=1)
    return result


def certainty(rows: Floats, votes: Votes) -> Floats:
    """1 - entropy / ln K_i of each row, in [0, 1]; 0 where nobody gave a readable answer."""
    most = np.log(np.maximum(votes.candidates, 1))
    share = np.divide(entropy(rows), most, out=np.zeros(len(rows)), where=most > 0)
    answered = votes.counts.sum(axis=1) > 0
    return np.where(answered, np.clip(1 - share, 0, 1), 0.0)


def _certainty_of_all(votes: Votes) -> Floats:
    """`certainty` with the unreadable votes as one more answer; 0 where nobody was asked."""
    silent = np.bincount(votes.example[votes.answer == ABSTAIN], minlength=len(votes.ids))
    counts = np.column_stack([votes.counts, silent])
    total = counts.sum(axis=1, keepdims=True)
    doubt = entropy(counts / np.maximum(total, 1)) / np.log(votes.candidates + 1)
    return np.where(total[:, 0] > 0, np.clip(1 - doubt, 0, 1), 0.0)
