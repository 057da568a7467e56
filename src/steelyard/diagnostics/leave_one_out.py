"""Leave-one-out consensus: each voter is compared with the other voters alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.types.arrays import tally

_CELLS = 2**19  # of a block of rows: 4 MiB, which stays in the cache
_EXAMPLES = 100_000  # for the fit of weights; more would change their third digit
_MOST_CELLS = 4_000_000  # for the same fit, in distributions: 32 MiB
_STEPS = 30  # EM steps; the weights of the crowd sets converge in about ten


@dataclass(frozen=True, eq=False)
class VoterLabels:
    """One answer for each voter and example: the one that the voter gave most often.

    A voter whose two most frequent answers to an example are tied has no label there. A model that
    was asked ten times counts as much as a person who was asked once.
    """

    example: Ints  # (B,), ascending
    voter: Ints  # (B,), ascending within an example
    answer: Ints  # (B,)
    candidates: Ints  # (N,)
    voters: int  # V

    @property
    def num_classes(self) -> int:
        """K, the largest number of candidates of any example."""
        return int(self.candidates.max()) if len(self.candidates) else 0

    @cached_property
    def counts(self) -> Floats:
        """Number of labels for each answer, (N, K)."""
        return self.totals(np.ones(self.voters))

    @cached_property
    def per_voter(self) -> Floats:
        """Number of labels of each voter, (V,)."""
        return tally(self.voter, self.voters)

    @cached_property
    def given(self) -> Floats:
        """How often each voter gave each answer, (V, K)."""
        cell = self.voter * self.num_classes + self.answer
        return tally(cell, self.voters * self.num_classes).reshape(self.voters, self.num_classes)

    def totals(self, weight: Floats) -> Floats:
        """Sum of the voters' weights (V,) for each answer, (N, K)."""
        shape = len(self.candidates), self.num_classes
        cell = self.example * self.num_classes + self.answer
        return tally(cell, shape[0] * shape[1], weight[self.voter]).reshape(shape)

    def every(self, step: int) -> "VoterLabels":
        """The labels on every `step`-th example."""
        if step <= 1:
            return self
        rows = self.example % step == 0
        return VoterLabels(
            self.example[rows] // step,
            self.voter[rows],
            self.answer[rows],
            self.candidates[::step],
            self.voters,
        )

    def shares(self) -> tuple[Floats, Floats]:
        """The share of the example's other voters with this answer, and their number, (B,) each.

        The share is 0 where there are no others.
        """
        same = self.counts[self.example, self.answer] - 1
        number = self.counts.sum(axis=1)[self.example] - 1
        return np.divide(same, number, out=np.zeros(len(same)), where=number > 0), number

    def agreement(self) -> Floats:
        """How often another voter of the same example, drawn at random, agrees, (V,).

        Mean over the voter's examples that others answered; nan if there are none.
        """
        share, number = self.shares()
        total = np.bincount(self.voter, number > 0, self.voters)
        sums = np.bincount(self.voter, share, self.voters)
        mean: Floats = np.divide(sums, total, out=np.full(self.voters, np.nan), where=total > 0)
        return mean


def voter_labels(votes: Votes) -> VoterLabels:
    """The readable votes, one answer for each voter and example."""
    read = votes.answer != ABSTAIN
    width = max(1, len(votes.voters))
    pair = votes.example[read] * width + votes.voter[read]
    order = np.argsort(pair, kind="stable")
    pair, answer = pair[order], votes.answer[read][order]
    if (np.diff(pair) == 0).any():
        pair, answer = _most_frequent(pair, answer, votes.num_classes)
    return VoterLabels(pair // width, pair % width, answer, votes.candidates, len(votes.voters))


def _most_frequent(pair: Ints, answer: Ints, k: int) -> tuple[Ints, Ints]:
    """Each pair once with its most frequent answer, without pairs whose first two are tied."""
    cells, times = np.unique(pair * k + answer, return_counts=True)
    order = np.lexsort((-times, cells // k))
    cells, times = cells[order], times[order]
    owner = cells // k
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    after = np.minimum(first + 1, len(cells) - 1)
    tied = (after > first) & (owner[after] == owner[first]) & (times[after] == times[first])
    chosen = cells[first[~tied]]
    return chosen // k, chosen % k


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """The consensus of the other voters on each example.

    With w_v the weight of voter v, n(k) the sum of the weights of the *other* voters that
    answered k, and a uniform prior over answers,

        q(k) proportional to exp(n(k)),        w_v = ln(a_v (K - 1) / (1 - a_v)), at least 0

    The accuracies a_v maximise the likelihood of all labels (EM; four labels of mean accuracy
    are added to each voter's). As no weight is below 0, no voter's answers are ever inverted.
    The posterior of the reported estimator is not used: an estimator that trusts the wrong voters
    would flag the right ones.

    Source: Dawid and Skene 1979, doi:10.2307/2346806, with one parameter for each voter.
    """

    labels: VoterLabels
    weight: Floats  # (V,)

    @cached_property
    def confusion(self) -> Floats:
        """P(answer l | truth k) of the voters, each counted by its weight, (K, K)."""
        return _common_confusion(_sampled(self.labels), self.weight)

    @cached_property
    def totals(self) -> Floats:
        """Sum of all voters' weights for each answer, (N, K)."""
        return self.labels.totals(self.weight)

    def without(self, *excluded: Ints) -> Floats:
        """q of some examples without the voters of these labels, (rows, K).

        Args:
            excluded: row numbers of labels; the i-th of each is on the same example.
        """
        labels = self.labels
        example = labels.example[excluded[0]]
        totals = self.totals[example]
        line = np.arange(len(totals))
        for rows in excluded:
            totals[line, labels.answer[rows]] -= self.weight[labels.voter[rows]]
        return _softmax(totals, labels.candidates[example])

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Rows of labels with q for each, (rows, K), in blocks to bound memory."""
        size = max(1, _CELLS // max(1, self.labels.num_classes))
        for start in range(0, len(self.labels.example), size):
            rows = slice(start, min(start + size, len(self.labels.example)))
            yield rows, self.without(np.arange(rows.start, rows.stop))


def leave_one_out(labels: VoterLabels, *, equal_weights: bool = False) -> LeaveOneOut:
    """Fit the weights, on some of the examples if there are many.

    With `equal_weights` all voters have the same weight, so that copying each other gains none.
    """
    return LeaveOneOut(labels, _weights(_sampled(labels), equal_weights))


def _sampled(labels: VoterLabels) -> VoterLabels:
    """Every n-th example, if there are more than weights need."""
    cells = len(labels.example) * labels.num_classes
    return labels.every(max(-(-len(labels.candidates) // _EXAMPLES), -(-cells // _MOST_CELLS)))


def _weights(labels: VoterLabels, equal_weights: bool) -> Floats:
    """Weight of each voter, (V,), by EM."""
    accuracy = np.full(labels.voters, 0.75)
    weight = np.zeros(labels.voters)
    for _ in range(_STEPS):
        weight = np.log(np.maximum(accuracy * max(labels.num_classes - 1, 1) / (1 - accuracy), 1.0))
        posterior = _softmax(labels.totals(weight), labels.candidates)
        right = np.bincount(labels.voter, posterior[labels.example, labels.answer], labels.voters)
        mean = right.sum() / max(1.0, float(labels.per_voter.sum()))
        shrunk = (right + 4 * mean) / (labels.per_voter + 4)
        accuracy = np.clip(np.full(labels.voters, mean) if equal_weights else shrunk, 0.01, 0.99)
    return weight


def _common_confusion(labels: VoterLabels, weight: Floats) -> Floats:
    """EM with the leave-one-out q held fixed, so that noise in q does not enter the matrix."""
    k = labels.num_classes
    q = LeaveOneOut(labels, weight).without(np.arange(len(labels.example))).T
    vote_weight = weight[labels.voter]
    start = (np.ones((k, k)) + np.eye(k) * k) / (2 * max(1, k))
    confusion = start
    for _ in range(_STEPS):
        joint = q * confusion[:, labels.answer]
        joint *= vote_weight / np.maximum(joint.sum(axis=0), 1e-300)
        counts = start + [np.bincount(labels.answer, row, k) for row in joint]
        confusion = counts / counts.sum(axis=1, keepdims=True)
    return confusion


def _softmax(logits: Floats, candidates: Ints) -> Floats:
    """Each row over its own candidates; 0 beyond them."""
    power = logits.T.copy()  # (K, rows): sums over a few answers are ten times faster that way
    power[np.arange(len(power))[:, None] >= candidates] = -np.inf
    power -= power.max(axis=0)
    np.exp(power, out=power)
    power /= power.sum(axis=0)
    rows: Floats = power.T
    return rows
