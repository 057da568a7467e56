"""Reliability from the entropy of a language model's list of answers."""

from typing import ClassVar, Literal

import numpy as np

from steelyard.errors import InputError
from steelyard.reliability.protocol import VoteEstimator
from steelyard.types import ABSTAIN, Ints, Reliability, Votes


class BeamEntropy(VoteEstimator):
    """Reliability as the certainty of the voters' lists of answers.

    H_m = -sum_b pi_b ln P_b / len_b over the answers b of one list, with pi the softmax of ln P,
    is the expected surprise of a token of an answer. Over the readable votes m of an example,

        score = exp(-mean_m H_m), in (0, 1]

    the geometric mean of the tokens' probabilities; the posterior is the vote shares. An example
    without a readable vote has a uniform posterior and score 0.

    Source: Malinin and Gales 2021, arXiv:2002.07650, equation 8 (length-normalised sequence
        uncertainty over a beam); as used by Cui et al. 2024, arXiv:2406.03199 (from the authors'
        code; the exponential is ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["beam_entropy"] = "beam_entropy"

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        """Posterior and score of each example.

        Raises:
            InputError: the votes have no lists of answers.
        """
        if votes.entropy is None:
            raise InputError(
                "`beam_entropy` needs voters that answer with lists; use `language_model` "
                "supervisors with `beams` or `api` supervisors with `words`, or another estimator."
            )
        answered = (votes.answer != ABSTAIN) & np.isfinite(votes.entropy)
        example, size = votes.example[answered], len(votes.ids)
        count = np.bincount(example, minlength=size)
        sums = np.bincount(example, weights=votes.entropy[answered], minlength=size)
        mean = np.divide(sums, count, out=np.full(size, np.inf), where=count > 0)
        return Reliability(votes.ids, votes.shares(), np.clip(np.exp(-mean), 0, 1))
