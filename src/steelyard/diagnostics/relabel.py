"""Which examples to label again first: where one more vote reduces uncertainty most."""

from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes

LEAST_GAIN = 1e-6
"""Gains up to this are rounding."""


@dataclass(frozen=True)
class RelabelItem:
    """An example to label again."""

    id: str
    label: str
    score: float  # reliability of the label, in [0, 1]
    gain: float  # expected_gain, in [0, 1)


def expected_gain(posterior: Floats, confusion: Floats) -> Floats:
    """Expected increase of the largest posterior of each example after one more vote, (N,), >= 0.

    With p the posterior of an example and C[k, l] = P(the voter answers l | truth is k),

        gain = sum_l max_k p(k) C[k, l] - max_k p(k)

    Each l is an answer that the new vote can be: max_k p(k) C[k, l] is its probability times the
    largest posterior after it. The gain is 0 where no single vote can change the best answer
    (p = (0.9, 0.1) and a voter who is right 7 times in 10), for p one-hot, and for a voter whose
    rows of C are equal.

    Args:
        posterior: (N, K), rows sum to 1.
        confusion: (K, K), rows sum to 1, of the voter who would be asked, such as `typical_voter`.

    Raises:
        InputError: the shapes do not fit.

    Source: Raiffa and Schlaifer 1961, "Applied Statistical Decision Theory" (expected value of
        sample information), for the gain of naming the right answer.
    """
    k = posterior.shape[1]
    if confusion.shape != (k, k):
        raise InputError(f"`confusion` must be ({k}, {k}) for {k} answers, got {confusion.shape}.")
    after = np.zeros(len(posterior))
    for column in confusion.T:  # K passes over (N, K) instead of one array (N, K, K)
        after += (posterior * column).max(axis=1)
    gain: Floats = np.maximum(after - posterior.max(axis=1), 0.0)
    return gain


def expected_gain_of_coin(posterior: Floats, accuracy: float, candidates: Ints) -> Floats:
    """`expected_gain` of a voter who is right with probability `accuracy`, (N,).

    A wrong answer is each of the other K_i - 1 candidates equally often. For open answers and for
    questions with different numbers of options. 0 where there is one candidate, because the gain of
    an answer that no voter has given yet is unknown.

    The posterior (N, K) is 0 beyond an example's candidates, whose numbers are `candidates` (N,).
    """
    ranked = np.sort(posterior, axis=1)
    top, second = ranked[:, -1], ranked[:, -2] if posterior.shape[1] > 1 else np.zeros(len(ranked))
    rest = np.where(posterior == top[:, None], second[:, None], top[:, None])  # best of the others
    wrong = (1 - accuracy) / np.maximum(candidates - 1, 1)
    after = np.maximum(posterior * accuracy, rest * wrong[:, None])
    after[np.arange(posterior.shape[1]) >= candidates[:, None]] = 0.0
    return np.where(candidates > 1, np.maximum(after.sum(axis=1) - top, 0.0), 0.0)


def typical_voter(votes: Votes, reliability: Reliability) -> Floats:
    """Confusion matrix (K, K) of the voters together, each counted by its readable votes.

    The mean of the estimator's matrices where it learnt them; else the expected votes for l where
    the truth is k under the posterior, with one more vote like the mean vote in each row.
    """
    from scipy.sparse import csr_array

    k, read = votes.num_classes, votes.answer != ABSTAIN
    skill = reliability.skill
    if skill is not None and skill.confusion is not None and read.any():
        number = np.bincount(votes.voter[read], minlength=len(votes.voters))
        return np.asarray(np.einsum("v,vkl->kl", number / number.sum(), skill.confusion))
    cell = (votes.answer[read], votes.example[read])
    given = csr_array((np.ones(len(cell[0])), cell), shape=(k, len(votes.ids)))
    counts = (given @ reliability.posterior).T  # [truth, answer]
    counts += (counts.sum(axis=0) + 1 / k) / (counts.sum() + 1)
    matrix: Floats = counts / counts.sum(axis=1, keepdims=True)
    return matrix


def gains(votes: Votes, reliability: Reliability) -> Floats:
    """Expected gain of one more vote by a typical voter, for each example, (N,)."""
    skill = reliability.skill
    coin = bool(votes.candidate_texts) or (skill is not None and skill.confusion is None)
    if not coin and len(votes.ids) and (votes.candidates == votes.num_classes).all():
        return expected_gain(reliability.posterior, typical_voter(votes, reliability))
    read = votes.answer != ABSTAIN
    right = reliability.posterior[votes.example[read], votes.answer[read]]
    accuracy = float(right.mean()) if len(right) else 0.5
    return expected_gain_of_coin(reliability.posterior, accuracy, votes.candidates)


@dataclass(frozen=True)
class RelabelItems:
    """Which examples to label again."""

    total: int  # examples that would gain
    first: tuple[RelabelItem, ...]


def relabel_first(
    votes: Votes, reliability: Reliability, label: Ints, *, most: int = 100
) -> RelabelItems:
    """The examples that would gain from one more vote, the least certain label first.

    These are the examples with an expected gain above 1e-6, which rounding cannot make, and those
    whose best answers are tied. Among equally certain labels the largest gain is first.

    Args:
        votes: of N examples.
        reliability: of the method reported.
        label: (N,), answer numbers to report, ABSTAIN for none.
        most: number of examples listed; all are counted.
    """
    gain = gains(votes, reliability)
    top = reliability.posterior.max(axis=1, initial=0.0)
    near = (reliability.posterior >= top[:, None] - LEAST_GAIN) & votes.possible
    would_gain = np.flatnonzero((gain > LEAST_GAIN) | (near.sum(axis=1) > 1))
    order = np.lexsort((-gain[would_gain], np.round(top[would_gain], 9)))
    first = tuple(
        RelabelItem(
            id=votes.ids[i],
            label=_name(votes, int(i), int(label[i])),
            score=float(reliability.score[i]),
            gain=float(gain[i]),
        )
        for i in would_gain[order][:most]
    )
    return RelabelItems(len(would_gain), first)


def _name(votes: Votes, example: int, label: int) -> str:
    names = votes.candidate_texts[example] if votes.candidate_texts else votes.class_names
    return "" if label == ABSTAIN else names[label]
