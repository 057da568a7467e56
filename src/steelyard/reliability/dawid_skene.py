"""Dawid and Skene's model: each voter has a confusion matrix."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.abstentions import (
    Abstentions,
    abstentions_are_answers,
    answered_mass,
)
from steelyard.reliability.protocol import VoteEstimator
from steelyard.reliability.vote_table import (
    MIN_PROBABILITY,
    VoteTable,
    refuse_many,
    refuse_open,
    reliability_of,
)
from steelyard.types import Floats, Ints, Reliability, VoterSkill, Votes


@dataclass(frozen=True, eq=False)
class Step:
    """An M-step and the E-step after it."""

    prior: Floats  # (K,)
    log_rows: Floats  # (V, K or K + 1, K), ln P(answer l | truth k) as [voter, l, k]
    posterior: Floats  # (N, K)
    objective: float  # of `prior` and `log_rows`, in nats


class DawidSkene(VoteEstimator):
    """Each voter has a confusion matrix, fitted by EM to all votes at once.

    With p_k the share of class k and pi_vkl = P(voter v answers l | truth is k),

        E-step   T_ik  ~  p_k prod_votes pi_vkl ^ w
        M-step   p_k = mean_i T_ik        pi_vkl ~ smoothing + sum_{votes for l} T_ik w
        objective = sum_i ln sum_k p_k prod_votes pi_vkl ^ w + smoothing sum ln pi_vkl

    where w is the vote's weight: 1, or with probabilities the lead of its answer over the second,
    divided by the mean lead of all votes. Each step raises the objective; EM ends when it
    gains less than `tolerance` per vote. It starts at each example's mean vote, or, with trusted
    answers, at the confusions that these show. Trusted answers stay fixed.

    Where each voter saw each example, an abstention is one more answer l (`abstentions`): labelling
    functions tell by whether they answer, and without it all of one class end up right. Its
    probability is estimated from the examples with a readable vote. Elsewhere abstentions are
    ignored. An example without a readable vote has a uniform posterior and score 0; else the score
    is the posterior of the winning answer. Votes that depend on each other (copies, hard examples)
    make the score overconfident; `robust` handles that.

    Raises:
        InputError: open answers, which have no common classes; or more voters and classes than
            there is memory for confusion matrices.

    Source: Dawid and Skene 1979, "Maximum Likelihood Estimation of Observer Error-Rates Using the
        EM Algorithm", equations 2.3 to 2.5 (smoothing, soft votes and trusted answers are ours);
        Zhang et al. 2021, "WRENCH: A Comprehensive Benchmark for Weak Supervision" (abstention as
        an answer, in its code).
    """

    version: ClassVar[int] = 2

    kind: Literal["dawid_skene"] = "dawid_skene"
    smoothing: float = Field(0.0, ge=0)
    """Votes added to each cell of each confusion matrix; 0 is the maximum-likelihood estimate."""
    iterations: int = Field(100, ge=1)
    """Maximum number of EM steps."""
    tolerance: float = Field(1e-3, ge=0)
    """EM ends when a step raises the objective by less than this per vote, in nats; more steps
    overfit."""
    abstentions: Abstentions = "auto"
    """Whether an abstention is an answer: `answer`, `ignore`, or `auto`, which takes it for one
    where the votes show that each voter saw each example, or voters are labelling functions."""

    def estimate(self, votes: Votes, gold: Ints | None = None) -> Reliability:
        refuse_open(votes, self.kind, "`one_coin` or `hierarchical`")
        refuse_many(votes, self.kind, "`one_coin` or `hierarchical`")
        table = VoteTable.of(votes, gold)
        silence = abstentions_are_answers(table, self.abstentions)
        before = -np.inf
        for step in islice(self.steps(table, silence), self.iterations):
            if step.objective - before < self.tolerance * len(table.weight):
                break
            before = step.objective
        k = table.shape[2]
        confusion = np.exp(step.log_rows[:, :k]).transpose(0, 2, 1)
        answers = confusion.sum(axis=2)  # (V, K), P(v answers | truth)
        confusion /= answers[:, :, None]
        share = step.prior * answers
        accuracy = np.einsum("vk,vkk->v", share / share.sum(axis=1, keepdims=True), confusion)
        skill = VoterSkill(votes.voters, np.clip(accuracy, 0, 1), confusion)
        return reliability_of(votes, step.posterior, gold, skill)

    def steps(self, table: VoteTable, silence: bool = False) -> Iterator[Step]:
        """EM steps from `initial_posterior`, without end; abstentions are answers if `silence`."""
        posterior = initial_posterior(table)
        while True:
            prior, rows = self.m_step(table, posterior, silence)
            posterior, log_likelihood = self.e_step(table, prior, rows)
            penalty = self.smoothing * float(rows.sum())
            yield Step(prior, rows, posterior, log_likelihood + penalty)

    def m_step(
        self, table: VoteTable, posterior: Floats, silence: bool = False
    ) -> tuple[Floats, Floats]:
        """Class shares (K,) and confusions ln P(answer l | truth k), (V, L, K) as [v, l, k].

        The L answers are the K classes and, if `silence`, abstention as the last.
        """
        prior = table.class_prior(posterior)
        counts = table.counts(posterior)
        if silence:
            missing = answered_mass(table, posterior) - counts.sum(axis=1)
            counts = np.concatenate([counts, np.maximum(missing, 0)[:, None]], axis=1)
        return prior, log_rows(counts + self.smoothing)

    def e_step(self, table: VoteTable, prior: Floats, rows: Floats) -> tuple[Floats, float]:
        """Posterior (N, K) and ln P(votes and trusted answers), in nats."""
        k = table.shape[2]
        logits = np.log(prior)
        if rows.shape[1] > k:  # all abstain, with a correction for each vote: votes stay sparse
            logits, rows = logits + rows[:, k].sum(axis=0), rows[:, :k] - rows[:, k:]
        return table.posterior_of(logits + table.log_likelihood(rows))


def log_rows(counts: Floats) -> Floats:
    """ln P(answer l | truth k), (V, L, K) from counts [voter, answer l, truth k].

    A class that a voter never named has no probability, even in rows of a truth k that never
    occurred, as in crowd-kit. A voter without votes has equal rows.
    """
    named = counts.sum(axis=2, keepdims=True) > 0
    named |= ~named.any(axis=1, keepdims=True)
    rows = np.where(named, np.maximum(counts, MIN_PROBABILITY), 0.0)
    rows /= np.maximum(rows.sum(axis=1, keepdims=True), MIN_PROBABILITY)
    return np.log(np.where(named, rows, MIN_PROBABILITY))


def initial_posterior(table: VoteTable) -> Floats:
    """The start of EM, (N, K): the mean votes, or with trusted answers what these alone imply.

    EM from mean votes keeps the labels of a majority that is wrong in the same way, however many
    answers are trusted. Five votes, of which four are right, are added to those of each voter.
    """
    if not (table.gold >= 0).any():
        return table.mean_votes()
    n, _, k = table.shape
    trusted = table.fixed(np.zeros((n, k)))
    trusted[table.gold < 0] = 0.0
    rows = log_rows(table.counts(trusted) + row_prior(4.0, 1.0, k))
    return table.posterior_of(table.log_likelihood(rows))[0]


def row_prior(right: float, wrong: float, num_classes: int) -> Floats:
    """Votes [answer l, truth k], (K, K): `right` on the diagonal, `wrong` spread over the rest."""
    rows = np.full((num_classes, num_classes), wrong / max(num_classes - 1, 1))
    np.fill_diagonal(rows, right)
    return rows
