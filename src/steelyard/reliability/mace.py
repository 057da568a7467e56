"""Voters that either know the answer or guess in their own way."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.vote_table import CELLS, VoteTable, refuse_open, reliability_of
from steelyard.types import Floats, Ints, Reliability, VoterSkill, Votes
from steelyard.types.arrays import tally

KNOWS = 0.5  # Beta(0.5, 0.5), the paper's
GUESS = 10.0  # symmetric Dirichlet, the paper's


class Mace(VoteEstimator):
    """MACE: with probability c_v voter v gives the true answer, else one of its own distribution.

        P(v answers l | truth k) = c_v [k = l] + (1 - c_v) xi_v(l)

    c_v ~ Beta(0.5, 0.5) and xi_v ~ Dirichlet(10, ..., 10) by variational Bayes from c_v = 1/2 and
    uniform xi_v, with a uniform prior over answers. With the vote's log odds
    r = ln(1 + c_v / ((1 - c_v) xi_v(l))) an example has P(k) in proportion to exp(sum of r of its
    votes for k). The score is the posterior of the most probable answer. Trusted answers (`gold`)
    stay fixed. An example without a readable vote has a uniform posterior and score 0.
    Several answers of one voter to an example count each. A vote with probabilities weighs as in
    `dawid_skene`.

    Raises (in `estimate`): InputError for open answers, which have no common classes.

    Source: Hovy et al. 2013, "Learning Whom to Trust with MACE" (one start at an even
        point in place of random restarts).
    """

    version: ClassVar[int] = 1

    kind: Literal["mace"] = "mace"
    iterations: int = Field(200, ge=1)
    """Maximum number of variational Bayes steps; it ends when no posterior changes by more than
    0.000001."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        refuse_open(votes, self.kind, "`one_coin`, `majority` or `open_agreement`")
        table = VoteTable.of(votes, gold)
        _, voters, k = table.shape
        competence = np.full((voters, 2), 0.5)  # to know, to guess
        guess = np.full((voters, k), 1 / max(k, 1))
        posterior = votes.uniform()
        for _ in range(self.iterations):
            odds = competence[table.voter, 0] / (
                competence[table.voter, 1] * guess[table.voter, table.answer]
            )
            logits = table.sums(np.log1p(odds))
            before, (posterior, _) = posterior, table.posterior_of(logits)
            from_knowledge = table.weight * table.at_votes(posterior) * odds / (1 + odds)
            cell, weight = table.voter * k + table.answer, table.weight - from_knowledge
            guessed = tally(cell, voters * k, weight).reshape(voters, k)
            knowledge = tally(table.voter, voters, from_knowledge)
            competence = _expected(np.column_stack([knowledge, guessed.sum(axis=1)]), KNOWS)
            guess = _expected(guessed, GUESS)
            if np.abs(posterior - before).max(initial=0) < 1e-6:
                break
        return reliability_of(votes, posterior, gold, _skill(votes, posterior, competence, guess))


def _expected(counts: npt.ArrayLike, prior: float) -> Floats:
    """exp E[ln p] of p ~ Dirichlet(counts + prior): the rows sum to less than 1."""
    from scipy.special import psi

    alpha = np.asarray(counts) + prior
    return np.asarray(np.exp(psi(alpha) - psi(alpha.sum(axis=1, keepdims=True))))


def _skill(votes: Votes, posterior: Floats, competence: Floats, guess: Floats) -> VoterSkill:
    share = posterior.mean(axis=0) if len(posterior) else np.zeros(votes.num_classes)
    c = (competence[:, 0] / competence.sum(axis=1))[:, None]
    xi = guess / guess.sum(axis=1, keepdims=True)
    accuracy = c[:, 0] + (1 - c[:, 0]) * (xi @ share)
    if len(xi) * votes.num_classes**2 > CELLS:
        return VoterSkill(votes.voters, accuracy)
    confusion = c[:, :, None] * np.eye(votes.num_classes) + ((1 - c) * xi)[:, None, :]
    return VoterSkill(votes.voters, accuracy, confusion)
