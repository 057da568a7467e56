"""Pairs of voters that copy each other: they make the same mistakes on the same examples."""

from dataclasses import dataclass

import numpy as np

from steelyard.diagnostics.leave_one_out import (
    LeaveOneOut,
    VoterLabels,
    leave_one_out,
    voter_labels,
)
from steelyard.diagnostics.spammers import benjamini_hochberg
from steelyard.types import Floats, Ints, Votes
from steelyard.types.arrays import pairs_in_groups, tally

_EVENTS = 20_000_000  # pairs of labels above which examples are sampled
_CELLS = 2**20  # of a block of events: 8 MiB
_FEWEST = 5  # examples that both voters must have answered
_SLACK = 1.25  # shared mistakes over those of independent voters, up to which voters are no copies
_CLEAR = 0.5  # probability of the others' answer above which an example counts
_MOST_CLASSES = 20  # above, wrong answers are assumed to be equally likely


@dataclass(frozen=True)
class Copies:
    """Two voters who share more mistakes than two independent ones would."""

    left: str
    right: str
    items: int  # examples that both answered
    agree: float  # share of them with the same answer, in [0, 1]
    expected: float  # that share for independent voters as good as these, in [0, 1]
    mistakes: int  # examples where both gave the same answer against the other voters' choice
    mistakes_expected: float  # of independent voters as good as these
    p: float  # of that many shared mistakes or more, if they are independent


def find_copies(votes: Votes, *, level: float = 0.05, most: int = 200) -> tuple[Copies, ...]:
    """Pairs of voters that share mistakes, smallest p first, at most `most`.

    For each pair u, v and each example i that both answered, with q_i the consensus of the
    *remaining* voters (`LeaveOneOut` without u and v), t_i its best answer and C_u, C_v the voters'
    confusion matrices (two more votes in each row, as the common matrix has them; one accuracy
    each for open answers and above 20 classes),

        S = number of i with q_i(t_i) > 1/2 and a_u = a_v != t_i
        L = sum over those i of sum_{c != t_i} sum_k q_i(k) C_u[k, c] C_v[k, c]

    Independent voters have E S = L. Real voters share some mistakes without copying, because
    examples differ in ways that no model of voters describes: L is multiplied by the ratio of the
    sums of S and L over all pairs, if above 1, and S has the variance L + L^2 / s (negative
    binomial), with s from the moments of all pairs but the tenth with the largest surplus. p is the
    tail of 1.25 times that mean, for what the skills of a pair leave unexplained. A pair is
    reported if p passes Benjamini-Hochberg at `level` over all pairs with 5 examples or more.

    It cannot detect: who copied whom; a copy of a voter who is never wrong; copying on examples
    whose other voters are split or fewer than two; and copying by most of the voters, who are then
    the consensus. Two models that learnt the same mistakes are reported as well, and rightly: their
    agreement is worth one vote.

    Source: Bellezza and Bellezza 1989, "Detection of Cheating on Multiple-Choice Tests by Using
        Error-Similarity Analysis" (counting shared wrong answers; the others as judge, the model
        of what to expect and the overdispersion over pairs are ours).
    """
    if len(votes.voters) < 4:
        return ()
    by_class = not votes.candidate_texts and votes.num_classes <= _MOST_CLASSES
    labels = _sampled(voter_labels(votes), by_class)
    pairs = _count(leave_one_out(labels, equal_weights=True), by_class)
    p = _surplus(pairs.mistakes, pairs.expected_mistakes)
    reported = np.flatnonzero(benjamini_hochberg(p, level))
    surplus = pairs.mistakes[reported] - pairs.expected_mistakes[reported]
    reported = reported[np.lexsort((-surplus, p[reported]))]
    return tuple(
        Copies(
            left=votes.voters[pairs.left[row]],
            right=votes.voters[pairs.right[row]],
            items=int(pairs.items[row]),
            agree=float(pairs.agree[row] / pairs.items[row]),
            expected=float(min(1.0, pairs.expected[row] / pairs.items[row])),
            mistakes=int(pairs.mistakes[row]),
            mistakes_expected=float(pairs.expected_mistakes[row]),
            p=float(p[row]),
        )
        for row in reported[:most]
    )


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Sums over the examples that each pair of voters shares, of pairs with enough examples."""

    left: Ints
    right: Ints
    items: Floats
    agree: Floats
    expected: Floats
    mistakes: Floats
    expected_mistakes: Floats


def _sampled(labels: VoterLabels, by_class: bool) -> VoterLabels:
    """Every n-th example, if all pairs of labels on all examples are too many."""
    size = tally(labels.example, len(labels.candidates))
    cost = max(1.0, (labels.num_classes**2 if by_class else labels.num_classes) / 4)  # of an event
    events = float((size * (size - 1)).sum()) / 2 * cost
    return labels.every(int(np.ceil(events / _EVENTS))) if events > _EVENTS else labels


def _count(consensus: LeaveOneOut, by_class: bool) -> _Pairs:
    """Agreements and mistakes of each pair of voters, and those expected of independent ones."""
    labels, k = consensus.labels, consensus.labels.num_classes
    skill = _confusions(consensus) if by_class else _accuracies(consensus)
    keys: list[Ints] = []
    sums: list[Floats] = []
    for left, right in pairs_in_groups(
        labels.example, max(1, _CELLS // (k * k if by_class else k))
    ):
        u, v = labels.voter[left], labels.voter[right]
        q = consensus.without(left, right)
        line = np.arange(len(q))
        top = q.argmax(axis=1)
        if by_class:
            same = np.einsum("ek,ekc->ec", q, skill[u] * skill[v])
            expected, at_top = same.sum(axis=1), same[line, top]
        else:
            wrong_answers = np.maximum(labels.candidates[labels.example[left]] - 1, 1)
            right_both = skill[u] * skill[v]
            wrong_both = (1 - skill[u]) * (1 - skill[v]) / wrong_answers**2
            expected = right_both + wrong_answers * wrong_both
            at_top = q[line, top] * right_both + (1 - q[line, top]) * wrong_both
        is_clear = q[line, top] > _CLEAR + 1e-9  # beyond rounding: a tie is not clear
        agree = labels.answer[left] == labels.answer[right]
        mistake = agree & is_clear & (labels.answer[left] != top)
        columns = (np.ones(len(q)), agree, expected, mistake, is_clear * (expected - at_top))
        key, row = np.unique(u * labels.voters + v, return_inverse=True)
        keys.append(key)
        sums.append(np.stack([np.bincount(row, column, len(key)) for column in columns]))
    if not keys:
        return _Pairs(*(np.zeros(0, dtype=t) for t in (int, int, *[float] * 5)))
    key, row = np.unique(np.concatenate(keys), return_inverse=True)
    totals = [tally(row, len(key), column) for column in np.concatenate(sums, axis=1)]
    enough = totals[0] >= _FEWEST
    key = key[enough]
    sums_of_pairs = (total[enough] for total in totals)
    return _Pairs(key // labels.voters, key % labels.voters, *sums_of_pairs)


def _confusions(consensus: LeaveOneOut) -> Floats:
    """Confusion matrix of each voter, (V, K, K)."""
    labels = consensus.labels
    k, common = labels.num_classes, consensus.confusion
    counts = np.zeros((labels.voters, k, k))
    for rows, q in consensus.blocks():
        answer, voter = labels.answer[rows], labels.voter[rows]
        weight = q * common[:, answer].T
        weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
        cell = voter * k + answer
        for truth in range(k):
            table = tally(cell, labels.voters * k, weight[:, truth])
            counts[:, truth] += table.reshape(labels.voters, k)
    counts += 2 * common
    confusion: Floats = counts / counts.sum(axis=2, keepdims=True)
    return confusion


def _accuracies(consensus: LeaveOneOut) -> Floats:
    """Accuracy of each voter, (V,)."""
    labels = consensus.labels
    right = np.zeros(labels.voters)
    for rows, q in consensus.blocks():
        line = np.arange(len(q))
        right += np.bincount(labels.voter[rows], q[line, labels.answer[rows]], labels.voters)
    mean = right.sum() / max(1.0, labels.per_voter.sum())
    return np.asarray((right + 2 * mean) / (labels.per_voter + 2))


def _surplus(mistakes: Floats, expected: Floats) -> Floats:
    """P(as many shared mistakes or more), one for each pair."""
    from scipy.special import betainc, gammainc

    if not len(mistakes):
        return np.zeros(0)
    mean = np.maximum(expected, 1e-9)
    mean = mean * max(1.0, float(mistakes.sum() / mean.sum()))
    at_least_1 = np.maximum(mistakes, 1)
    kept = np.argsort(gammainc(at_least_1, mean), kind="stable")[-(-len(mean) // 10) :]
    excess = ((mistakes - mean) ** 2 - mean)[kept].sum()
    spread = float(excess / max(float((mean[kept] ** 2).sum()), 1e-300))  # 1 / s
    most = _SLACK * mean
    if spread > 1e-6:
        p = betainc(at_least_1, 1 / spread, most / (most + 1 / spread))
    else:
        p = gammainc(at_least_1, most)
    return np.where(mistakes > 0, p, 1.0)
