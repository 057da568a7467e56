"""A sparse table of votes, sums over it, and checks, for estimators with a model of voters.

Sizes as in `types`; S states of an example, which are its K answers unless noted otherwise.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, VoterSkill, Votes
from steelyard.types.arrays import tally

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

MIN_PROBABILITY = 1e-10
"""The smallest estimated probability: a vote that never occurred is unlikely, not impossible."""

MIN_LEAD = 1e-3
"""Lead of a vote whose two largest probabilities are equal: almost no information."""

CELLS = 50_000_000
"""Most cells of all voters' confusion matrices together; above, none are made (memory)."""

UNSEEN = 10
"""Assumed number of wrong answers to an open question that no voter gave. Without them, if two
voters differ, there is a single wrong answer, and it is as likely as the right one."""


@dataclass(frozen=True, eq=False)
class VoteTable:
    """E readable votes with their weights, sorted by example.

    The weight of a vote with a distribution q is the lead of its answer, q of the answer minus the
    second largest q, divided by the mean lead of all readable votes, so that weights are 1 on
    average; votes without distributions have weight 1. Weights count in the likelihood (E-step)
    and in the voter's counts (M-step) alike. Splitting a vote among its answers instead makes
    voters with moderate probabilities look uninformed, and the fits collapse to one class.
    """

    votes: Votes
    gold: Ints  # (N,), trusted answers, ABSTAIN elsewhere
    example: Ints  # (E,)
    voter: Ints  # (E,)
    answer: Ints  # (E,)
    weight: Floats  # (E,), above 0

    @classmethod
    def of(cls, votes: Votes, gold: Ints | None = None) -> "VoteTable":
        """The table of some votes and trusted answers.

        Raises:
            InputError: `gold` has another length, or an answer that is no candidate of its example.
        """
        trusted = np.full(len(votes.ids), ABSTAIN) if gold is None else np.asarray(gold)
        if trusted.shape != (len(votes.ids),):
            raise InputError(
                f"`gold` must have one answer per example, ({len(votes.ids)},); "
                f"got {trusted.shape}."
            )
        bad = (trusted < ABSTAIN) | (trusted >= votes.candidates)
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"gold answer {trusted[i]} of {votes.ids[i]!r} is not in "
                f"[0, {votes.candidates[i]}); an example without a trusted answer is ABSTAIN (-1)."
            )
        read = votes.answer != ABSTAIN
        weight = np.ones(int(read.sum())) if votes.probs is None else _leads(votes.probs[read])
        example, voter, answer = votes.example, votes.voter, votes.answer
        if not read.all():
            example, voter, answer = example[read], voter[read], answer[read]
        return cls(votes, trusted, example, voter, answer, weight)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Examples N, voters V, answers K."""
        return len(self.votes.ids), len(self.votes.voters), self.votes.num_classes

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """Which examples have a readable vote, (N,)."""
        return self.votes.answered

    @cached_property
    def cell(self) -> Ints:
        """Index of each entry in a flat table (N, K), (E,)."""
        return self.example * self.shape[2] + self.answer

    @cached_property
    def voter_weight(self) -> Floats:
        """Total weight of each voter's votes, (V,)."""
        return tally(self.voter, self.shape[1], self.weight)

    @cached_property
    def log_wrong_answers(self) -> Floats:
        """ln of the number of wrong answers of each example, (N,); 0 where there is at most one."""
        unseen = UNSEEN if self.votes.candidate_texts else 0
        log_wrong_answers: Floats = np.log(np.maximum(self.votes.candidates - 1 + unseen, 1))
        return log_wrong_answers

    @cached_property
    def table(self) -> "csr_array":
        """Entries as a sparse matrix, (N, V * K)."""
        from scipy.sparse import csr_array

        n, v, k = self.shape
        ends = np.cumsum(np.bincount(self.example, minlength=n))
        column = (self.voter * k + self.answer).astype(np.int32 if v * k < 2**31 else np.int64)
        starts = np.concatenate([[0], ends]).astype(column.dtype)
        return csr_array((self.weight, column, starts), shape=(n, v * k))

    @cached_property
    def transposed(self) -> "csc_array":
        """`table` with rows and columns exchanged, sharing its memory, (V * K, N)."""
        return self.table.T

    def log_likelihood(self, rows: Floats) -> Floats:
        """Sum over an example's votes of ln P(vote | state), (N, S), from `rows` (V, K, S)."""
        v, k, s = rows.shape
        logits: Floats = self.table @ rows.reshape(v * k, s)
        return logits

    def counts(self, states: Floats) -> Floats:
        """Expected votes of voter v for answer l where the state is s, (V, K, S)."""
        _, v, k = self.shape
        flat: Floats = self.transposed @ states
        return flat.reshape(v, k, states.shape[1])

    def sums(self, values: Floats) -> Floats:
        """Weighted sum of the values (E,) of the votes for each answer, (N, K)."""
        n, _, k = self.shape
        return tally(self.cell, n * k, self.weight * values).reshape(n, k)

    def at_votes(self, posterior: Floats) -> Floats:
        """The posterior (N, K) of each vote's answer, (E,)."""
        values: Floats = posterior.ravel()[self.cell]
        return values

    def coin_logits(self, gain: Floats) -> Floats:
        """ln P(votes | answer), up to a constant of the example, (N, K), where errors are uniform.

        A vote of v for l adds ln (a_v / ((1 - a_v) / (K_i - 1))) to l: `gain` (V,) has
        ln (a_v / (1 - a_v)), and ln of the K_i - 1 wrong answers is added here.
        """
        return self.sums(gain[self.voter] + self.log_wrong_answers[self.example])

    def mean_votes(self) -> Floats:
        """Each example's mean vote, (N, K), with trusted answers."""
        return self.fixed(self.votes.means())

    def fixed(self, posterior: Floats) -> Floats:
        """The posterior with trusted answers held, uniform where nobody answered; in place."""
        unanswered = ~self.answered
        if unanswered.any():
            posterior[unanswered] = self.votes.uniform()[unanswered]
        trusted = np.flatnonzero(self.gold != ABSTAIN)
        posterior[trusted] = 0.0
        posterior[trusted, self.gold[trusted]] = 1.0
        return posterior

    def posterior_of(self, logits: Floats) -> tuple[Floats, float]:
        """Posterior (N, K), and the sum over the answered examples of ln P(votes, known truth).

        `logits` has ln P(answer) + ln P(votes | answer); it is overwritten.
        """
        if (self.votes.candidates < self.shape[2]).any():
            logits[~self.votes.possible] = -np.inf
        trusted = np.flatnonzero((self.gold != ABSTAIN) & self.answered)
        gold_sum = logits[trusted, self.gold[trusted]].sum()
        posterior, log_sum = softmax_rows(logits)
        free = self.answered & (self.gold == ABSTAIN)
        return self.fixed(posterior), float(log_sum[free].sum() + gold_sum)

    def class_prior(self, posterior: Floats) -> Floats:
        """Share of each answer among the answered examples, (K,); uniform if there is none."""
        total = self.answered @ posterior
        size = total.sum()
        prior: Floats = total / size if size else np.full(len(total), 1 / max(len(total), 1))
        return np.maximum(prior, MIN_PROBABILITY)


def _leads(probs: Floats) -> Floats:
    """Largest minus second entry of each row, over the mean of all rows, (E,)."""
    if not len(probs) or probs.shape[1] < 2:
        return np.ones(len(probs))
    ranked = np.partition(probs, -2, axis=1)
    lead = np.maximum(ranked[:, -1] - ranked[:, -2], MIN_LEAD)
    weight: Floats = lead / lead.mean()
    return weight


def softmax_rows(logits: Floats) -> tuple[Floats, Floats]:
    """softmax (N, S) and log-sum-exp (N,) of each row; overwrites `logits`."""
    top = logits.max(axis=1, keepdims=True, initial=-1e300)
    logits -= top
    np.exp(logits, out=logits)
    total = logits.sum(axis=1, keepdims=True)
    logits /= total
    log_sum: Floats = (top + np.log(total))[:, 0]
    return logits, log_sum


def shared_classes(votes: Votes) -> bool:
    """Whether answer l means the same for every example, so that confusions can be learnt."""
    return not votes.candidate_texts and bool((votes.candidates == votes.num_classes).all())


def reliability_of(
    votes: Votes, posterior: Floats, gold: Ints | None, skill: VoterSkill
) -> Reliability:
    """Score = the largest probability; 0 without a readable vote and without a trusted answer."""
    answered = votes.answered if gold is None else votes.answered | (gold != ABSTAIN)
    score = np.where(answered, np.clip(posterior.max(axis=1, initial=0), 0, 1), 0.0)
    return Reliability(votes.ids, posterior, score, skill)


def refuse_open(votes: Votes, kind: str, instead: str) -> None:
    """Raise InputError for open answers, where each example has its own candidates."""
    if votes.candidate_texts:
        raise InputError(
            f"`{kind}` needs one list of classes for all examples, and here each has its own "
            f"candidates (open answers, or very many classes); use {instead}."
        )


def refuse_many(votes: Votes, kind: str, instead: str) -> None:
    """Raise InputError if the confusion matrices would have more than four times CELLS."""
    cells = len(votes.voters) * votes.num_classes**2
    if cells > 4 * CELLS:
        raise InputError(
            f"`{kind}` has a confusion matrix for each voter: {len(votes.voters):,} voters and "
            f"{votes.num_classes:,} classes make {cells:,} cells, more than {4 * CELLS:,}; use "
            f"{instead}."
        )
