"""Voters of different ability, examples of different difficulty."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.vote_table import VoteTable, refuse_open, reliability_of
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, VoterSkill, Votes
from steelyard.types.arrays import tally

CENTRE = 1.0  # mean of the normal priors, as in the authors' code
STEPS = 25  # steps of the optimiser in one M step
LARGEST = 50.0  # largest ln beta, so that no line search overflows


class Glad(VoteEstimator):
    """GLAD: a vote is right more often if the voter is able and the example easy.

        P(v right on i) = s_vi = 1 / (1 + exp(-a_v exp(b_i)))        wrong answers equally likely

    Ability a_v ~ N(1, 1) and ease b_i ~ N(1, 1) by EM: with p the posterior of a vote's answer, the
    M step takes the gradients sum (p - s) exp(b) of a_v and sum (p - s) a exp(b) of b_i to L-BFGS,
    and the E step has P(k) in proportion to exp(sum of a_v exp(b_i) + ln(K_i - 1) over the votes
    for k). The prior over answers is uniform, the score the posterior of the most probable answer.
    The votes of a voter of negative ability count against their answer. Trusted answers (`gold`)
    stay fixed, and EM starts at the abilities that they show. An example without a readable vote
    has a uniform posterior and score 0. Several answers of one voter to an example count each. A
    vote with probabilities weighs as in `dawid_skene`.

    Raises (in `estimate`): InputError for open answers, for which wrong ones are not equally
    likely.

    Source: Whitehill et al. 2009, "Whose Vote Should Count More: Optimal Integration of Labels from
        Labelers of Unknown Expertise" (L-BFGS in place of conjugate gradients).
    """

    version: ClassVar[int] = 1

    kind: Literal["glad"] = "glad"
    iterations: int = Field(100, ge=1)
    """Maximum number of EM steps; EM ends when no posterior changes by more than 0.0001."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        refuse_open(votes, self.kind, "`one_coin`, `majority` or `open_agreement`")
        table = VoteTable.of(votes, gold)
        size, voters, k = table.shape
        ease = voters + table.example  # position in `point`: first abilities, then eases
        weight = table.weight * (votes.candidates[table.example] > 1)  # where there is a choice
        point = np.full(voters + size, CENTRE)
        posterior = votes.uniform()
        trusted = table.gold[table.example]
        if (trusted != ABSTAIN).any():  # so that an adversarial majority gets negative abilities
            right = (trusted == table.answer).astype(np.float64)
            point = _maximum(point, table.voter, ease, weight * (trusted != ABSTAIN), right)
        for _ in range(self.iterations):
            strength = _strength(point, table.voter, ease) + table.log_wrong_answers[table.example]
            logits = tally(table.cell, size * k, weight * strength).reshape(size, k)
            before, (posterior, _) = posterior, table.posterior_of(logits)
            if np.abs(posterior - before).max(initial=0) < 1e-4:
                break
            point = _maximum(point, table.voter, ease, weight, table.at_votes(posterior))
        skill = _skill(votes, point, table.voter, ease, weight)
        return reliability_of(votes, posterior, gold, skill)


def _strength(point: Floats, voter: Ints, example: Ints) -> Floats:
    """a_v exp(b_i) of each vote."""
    product: Floats = point[voter] * np.exp(np.minimum(point[example], LARGEST))
    return product


def _maximum(point: Floats, voter: Ints, example: Ints, weight: Floats, right: Floats) -> Floats:
    """Abilities and eases of largest expected log likelihood, given P(right) of each vote."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(x: Floats) -> tuple[float, Floats]:
        ease = np.exp(np.minimum(x[example], LARGEST))
        z = x[voter] * ease
        value = (weight * (np.logaddexp(0, z) - right * z)).sum() + ((x - CENTRE) ** 2).sum() / 2
        pull = weight * (right - expit(z)) * ease
        slope = x - CENTRE
        slope -= np.bincount(voter, pull, len(x)) + np.bincount(example, pull * x[voter], len(x))
        return float(value), slope

    solution = minimize(loss, point, method="L-BFGS-B", jac=True, options={"maxiter": STEPS})
    return np.asarray(solution.x)


def _skill(votes: Votes, point: Floats, voter: Ints, example: Ints, weight: Floats) -> VoterSkill:
    """Mean P(right) over a voter's votes; chance without a readable vote."""
    from scipy.special import expit

    size = len(votes.voters)
    right = weight * expit(_strength(point, voter, example))
    total = np.bincount(voter, weight, size)
    mean = np.bincount(voter, right, size) / np.maximum(total, 1e-300)
    return VoterSkill(votes.voters, np.where(total > 0, mean, 1 / max(votes.num_classes, 1)))
