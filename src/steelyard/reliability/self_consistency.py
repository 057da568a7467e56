"""Reliability from the agreement of each voter with itself."""

import logging
from typing import ClassVar, Literal

import numpy as np

from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import ABSTAIN, Ints, Reliability, Votes

log = logging.getLogger(__name__)


class SelfConsistency(VoteEstimator):
    """Reliability as how often a voter repeats its answer when it is asked again.

    With p_v(a) the share of answer a among the readable answers of voter v to an example,

        P(a) = mean_v p_v(a)        score = mean_v max_a p_v(a)

    over the voters with a readable answer to it: each counts once, however often it was asked.
    Voters that contradict each other may each be consistent, so this is not agreement. A voter
    asked once agrees with itself; if all were asked once, every score is 1 and a warning is logged.
    An example without a readable vote has a uniform posterior and score 0.

    Source: Wang et al. 2022, arXiv:2203.11171, section 2 (share of one model's sampled
        answers that agree with its majority; the mean over several models is ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["self_consistency"] = "self_consistency"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        read = votes.answer != ABSTAIN
        k, voters = votes.num_classes, len(votes.voters)
        answer = votes.answer[read]
        asked_pairs, pair = np.unique(
            votes.example[read] * voters + votes.voter[read], return_inverse=True
        )
        if len(asked_pairs) and len(asked_pairs) == len(pair):
            log.warning(
                "self_consistency: no voter was asked twice about one example; every score is 1."
            )
        cells, times = np.unique(pair * max(k, 1) + answer, return_counts=True)
        pair_of_cell = cells // max(k, 1)
        share = times / np.bincount(pair, minlength=len(asked_pairs))[pair_of_cell]
        example = asked_pairs // max(voters, 1)
        modal = np.zeros(len(asked_pairs))
        np.maximum.at(modal, pair_of_cell, share)
        size = len(votes.ids)
        voters_of = np.maximum(np.bincount(example, minlength=size), 1)
        cell = example[pair_of_cell] * k + cells % max(k, 1)
        sums = np.bincount(cell, weights=share, minlength=size * k).reshape(size, k)
        has = votes.answered
        posterior = np.where(has[:, None], sums / voters_of[:, None], votes.uniform())
        mean = np.bincount(example, weights=modal, minlength=size) / voters_of
        return Reliability(votes.ids, posterior, np.where(has, np.clip(mean, 0, 1), 0.0))
