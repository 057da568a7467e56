"""Voters' accuracies under a posterior, and shares of votes that are weighted by them."""

import numpy as np

from steelyard.types.arrays import Floats, Ints, tally
from steelyard.types.votes import ABSTAIN, Votes

ACCURACIES = (0.02, 0.98)
"""Smallest and largest accuracy of a voter, so that no vote is certain."""
ABOVE_CHANCE = 0.01
"""Least weight of a vote: a voter at chance still counts where nobody else answered."""


def voter_accuracies(votes: Votes, posterior: Floats) -> Floats:
    """Mean posterior of each voter's answers, with two average votes added, (V,)."""
    example, voter, answer = _readable(votes)
    share = posterior[example, answer]
    number = np.bincount(voter, minlength=len(votes.voters))
    mean = share.mean() if len(share) else 0.5
    total = tally(voter, len(votes.voters), share) + 2 * mean
    accuracies: Floats = np.clip(total / (number + 2), *ACCURACIES)
    return accuracies


def weighted_shares(votes: Votes, accuracies: Floats, gold: Ints | None = None) -> Floats:
    """Share of each answer in votes weighted by how far their voters are above chance, (N, K).

    The weight of a vote is a_v - 1/K_i, at least ABOVE_CHANCE. Examples with a trusted answer give
    it share 1, unless no vote names it; rows of others without votes are 0.
    """
    example, voter, answer = _readable(votes)
    n, k = len(votes.ids), votes.num_classes
    above = accuracies[voter] - 1 / votes.candidates[example].clip(1)
    total = tally(example * k + answer, n * k, np.maximum(above, ABOVE_CHANCE)).reshape(n, k)
    shares: Floats = total / np.maximum(total.sum(axis=1, keepdims=True), ABOVE_CHANCE / 2)
    if gold is not None:
        trusted = np.flatnonzero(gold >= 0)
        shares[trusted] = 0.0
        shares[trusted, gold[trusted]] = 1.0
    return shares


def _readable(votes: Votes) -> tuple[Ints, Ints, Ints]:
    read = votes.answer != ABSTAIN
    return votes.example[read], votes.voter[read], votes.answer[read]
