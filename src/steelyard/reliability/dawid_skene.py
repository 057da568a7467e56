"""Dawid and Skene's model: each voter has a confusion matrix."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.checks import refuse_many, refuse_open, reliability_of
from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.vote_table import LEAST, VoteTable
from steelyard.types import Floats, Ints, Reliability, VoterSkill, Votes


class DawidSkene(VoteEstimator):
    """Each voter has a confusion matrix, fitted by EM to all votes at once.

    With p_k the share of class k and pi_vkl = P(voter v answers l | truth is k),

        E-step   T_ik  ~  p_k prod_votes pi_vkl ^ w
        M-step   p_k = mean_i T_ik        pi_vkl ~ smoothing + sum_{votes for l} T_ik w
        objective = sum_i ln sum_k p_k prod_votes pi_vkl ^ w + smoothing sum ln pi_vkl

    where w is the vote's weight: 1, or with probabilities the lead of its answer over the second,
    divided by the mean lead of all votes. Each step raises the objective; EM ends when it
    gains less than `tolerance` per vote. It begins at each example's mean vote, or, given trusted
    answers, at what these say about the voters. Trusted answers stay fixed.

    Abstentions say nothing. An example that nobody answered has a uniform posterior and score 0;
    else the score is the posterior of the winning answer. Votes that depend on each other (copies,
    hard examples) make the score overconfident, and voters that only ever give one class (labelling
    functions) leave the model undetermined: `hierarchical` meets both.

    Raises:
        InputError: open answers, where classes mean nothing across examples; or more voters and
            classes than there is memory for confusion matrices.

    Source: Dawid and Skene 1979, "Maximum Likelihood Estimation of Observer Error-Rates Using the
        EM Algorithm", equations 2.3 to 2.5 (smoothing, soft votes and trusted answers are ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["dawid_skene"] = "dawid_skene"
    smoothing: float = Field(0.0, ge=0)
    """Votes added to each cell of each confusion matrix; 0 is the maximum-likelihood estimate."""
    iterations: int = Field(100, ge=1)
    """Most steps of EM."""
    tolerance: float = Field(1e-3, ge=0)
    """EM ends when a step gains less of the objective per vote, in nats; going on overfits."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        refuse_open(votes, self.kind, "`one_coin` or `hierarchical`")
        refuse_many(votes, self.kind, "`one_coin` or `hierarchical`")
        ballots = VoteTable.of(votes, gold)
        before = -np.inf
        for step in islice(steps(ballots, self.smoothing), self.iterations):
            if step.objective - before < self.tolerance * len(ballots.weight):
                break
            before = step.objective
        confusion = np.exp(step.rows).transpose(0, 2, 1)
        accuracy = np.einsum("k,vkk->v", step.prior / step.prior.sum(), confusion)
        skill = VoterSkill(votes.voters, np.clip(accuracy, 0, 1), confusion)
        return reliability_of(votes, step.posterior, gold, skill)


@dataclass(frozen=True, eq=False)
class Step:
    """One M-step and the E-step after it."""

    prior: Floats  # (K,)
    rows: Floats  # (V, K, K), ln P(answer l | truth k) as [voter, l, k]
    posterior: Floats  # (N, K)
    objective: float  # of `prior` and `rows`, in nats


def steps(ballots: VoteTable, smoothing: float) -> Iterator[Step]:
    """EM without end, from `begin`."""
    posterior = begin(ballots)
    while True:
        prior = ballots.class_prior(posterior)
        rows = log_rows(ballots.counts(posterior) + smoothing)
        posterior, fit = ballots.expect(np.log(prior) + ballots.log_likelihood(rows))
        yield Step(prior, rows, posterior, fit + smoothing * float(rows.sum()))


def log_rows(counts: Floats) -> Floats:
    """ln P(answer l | truth k), (V, K, K) from counts [voter, answer l, truth k].

    A class that a voter never named keeps no probability, also where the truth never was k and
    every row would do: as in crowd-kit, so that both agree. A voter without votes has equal rows.
    """
    named = counts.sum(axis=2, keepdims=True) > 0
    named |= ~named.any(axis=1, keepdims=True)
    rows = np.where(named, np.maximum(counts, LEAST), 0.0)
    rows /= np.maximum(rows.sum(axis=1, keepdims=True), LEAST)
    return np.log(np.where(named, rows, LEAST))


def begin(ballots: VoteTable) -> Floats:
    """Where EM begins, (N, K): the mean votes, or what trusted answers alone say about the voters.

    From mean votes a majority that is wrong in one way stays so, however many answers are known.
    To what a voter did where the truth is known, five votes are added that are right four times.
    """
    if not (ballots.known >= 0).any():
        return ballots.start()
    _, _, k = ballots.shape
    told = ballots.fixed(np.zeros((ballots.shape[0], k)))
    told[ballots.known < 0] = 0.0
    rows = log_rows(ballots.counts(told) + row_prior(4.0, 1.0, k))
    return ballots.expect(ballots.log_likelihood(rows))[0]


def row_prior(right: float, wrong: float, answers: int) -> Floats:
    """Votes [answer l, truth k], (K, K): `right` on the diagonal, `wrong` spread over the rest."""
    rows = np.full((answers, answers), wrong / max(answers - 1, 1))
    np.fill_diagonal(rows, right)
    return rows
