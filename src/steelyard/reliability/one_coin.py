"""One accuracy for each voter."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.abstentions import (
    Abstentions,
    abstentions_are_answers,
    answer_logits,
    answer_rates,
    voted,
)
from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.vote_table import (
    CELLS,
    MIN_PROBABILITY,
    VoteTable,
    reliability_of,
    shared_classes,
)
from steelyard.types import Floats, Ints, Reliability, VoterSkill, Votes
from steelyard.types.arrays import tally


class OneCoin(VoteEstimator):
    """Each voter is right with one probability, whatever the truth; errors are uniform.

    With a_v the accuracy of voter v and K_i the number of answers that example i has,

        P(v answers l | truth is k) = a_v if l = k, else (1 - a_v) / (K_i - 1)
        E-step   T_ik  ~  p_k prod_{votes for k} (a_v (K_i - 1) / (1 - a_v)) ^ w
        M-step   a_v = (smoothing + sum_votes T_il w) / (2 smoothing + sum_votes w)

    with w the weight of a vote for l, as in `dawid_skene`. Examples need not share their classes.
    For open answers K_i counts ten more answers, which no voter gave: otherwise two voters who
    differ would leave a single wrong answer. The class prior p is learnt where all examples share
    their classes, else it is uniform over an example's answers. Where abstentions are answers,
    P(v answers | truth is k) is learnt too and counts as evidence. Start, end, trusted answers and
    score are those of `dawid_skene`.

    Source: Zhang et al. 2016, "Spectral Methods Meet EM" (one-coin model); learnt by EM
        as in Dawid and Skene 1979.
    """

    version: ClassVar[int] = 2

    kind: Literal["one_coin"] = "one_coin"
    smoothing: float = Field(0.01, ge=0)
    """Right and wrong votes added to each voter's; 0 is the maximum-likelihood estimate."""
    iterations: int = Field(100, ge=1)
    """Maximum number of EM steps."""
    tolerance: float = Field(1e-5, ge=0)
    """EM ends when a step raises the objective by less than this per vote, in nats."""
    abstentions: Abstentions = "auto"
    """Whether an abstention is evidence: `answer`, `ignore`, or `auto`, which takes it for evidence
    where the votes show that each voter saw each example, or voters are labelling functions."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        table = VoteTable.of(votes, gold)
        shared = shared_classes(votes)
        silence = abstentions_are_answers(table, self.abstentions)
        who = voted(table) if silence else None
        posterior = initial_coin_posterior(table)
        all_wrong = float(table.weight @ table.log_wrong_answers[table.example])
        before = -np.inf
        for _ in range(self.iterations):
            prior = table.class_prior(posterior) if shared else votes.uniform()
            right = rightness(table, posterior) + self.smoothing
            total = table.voter_weight + 2 * self.smoothing
            accuracy = np.divide(right, total, out=np.full(len(total), 0.5), where=total > 0)
            accuracy = np.clip(accuracy, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
            gain = np.log(accuracy) - np.log1p(-accuracy)
            base = np.log(np.maximum(prior, MIN_PROBABILITY))
            if who is not None:
                base = base + answer_logits(who, answer_rates(table, posterior, self.smoothing))
            posterior, fit = table.posterior_of(base + table.coin_logits(gain))
            # the logits are relative to all votes being wrong
            objective = fit + float(table.voter_weight @ np.log1p(-accuracy)) - all_wrong
            objective += self.smoothing * float((np.log(accuracy) + np.log1p(-accuracy)).sum())
            if objective - before < self.tolerance * len(table.weight):
                break
            before = objective
        confusion = coin_rows(accuracy, table.shape[2]) if shared else None
        skill = VoterSkill(votes.voters, accuracy, confusion)
        return reliability_of(votes, posterior, gold, skill)


def rightness(table: VoteTable, posterior: Floats) -> Floats:
    """Expected number of right votes of each voter, (V,)."""
    return tally(table.voter, table.shape[1], table.weight * table.at_votes(posterior))


def coin_rows(accuracy: Floats, num_classes: int) -> Floats | None:
    """Confusion matrices of voters with one accuracy each, (V, K, K); None for too many CELLS."""
    if len(accuracy) * num_classes**2 > CELLS:
        return None
    same = np.eye(num_classes, dtype=bool)
    wrong = (1 - accuracy) / max(num_classes - 1, 1)
    rows: Floats = np.where(same, accuracy[:, None, None], wrong[:, None, None])
    rows /= rows.sum(axis=2, keepdims=True)
    return rows


def initial_coin_posterior(table: VoteTable) -> Floats:
    """`dawid_skene.initial_posterior` for one accuracy per voter, (N, K)."""
    trusted = table.gold[table.example]
    if not (trusted >= 0).any():
        return table.mean_votes()
    voters = table.shape[1]
    weight = tally(table.voter, voters, table.weight * (trusted >= 0))
    right = tally(table.voter, voters, table.weight * (trusted == table.answer))
    gain = np.log(right + 4) - np.log(weight - right + 1)
    return table.posterior_of(table.coin_logits(gain))[0]
