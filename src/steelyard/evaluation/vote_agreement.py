"""How agreement among votes relates to label accuracy: statistics of the reliability paper."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.evaluation.metrics import equal_width_bins
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.types.arrays import row_entropy

BINS = 10


@dataclass(frozen=True)
class EntropyBin:
    """Examples whose votes have about the same entropy."""

    entropy: float  # mean, nats
    share: float  # of the examples with a readable vote, in (0, 1]
    accuracy: float | None  # share of right labels among those with truth; None without truth


@dataclass(frozen=True)
class ClassScore:
    """Mean score of the right and of the wrong labels of one class; None without such labels."""

    name: str
    right: float | None
    wrong: float | None


def entropy_bins(votes: Votes, label: Ints, truth: Ints | None = None) -> tuple[EntropyBin, ...]:
    """Share of the examples and accuracy of their labels, by rising entropy of their votes.

    The entropy of an example is -sum_a p(a) ln p(a) with p the shares of its readable votes. There
    is one bin for each value if there are at most 10, else 10 of equal width from 0 to the
    largest; empty bins and examples without a readable vote are dropped.

    `label` (N,) are the labels to evaluate, `truth` (N,) true answers, ABSTAIN where unknown.

    Source: Guo and Yang 2024, arXiv:2406.19032 (figures of entropy in the authors' repository,
        Irenehere/ReliableAlignment).
    """
    answered = votes.answered
    shares = votes.shares()[answered]
    if not len(shares):
        return ()
    entropy = np.round(row_entropy(shares), 9) + 0.0  # 4-1 and 1-4 differ in the last bit
    values, group = np.unique(entropy, return_inverse=True)
    if len(values) > BINS:
        group = equal_width_bins(entropy / values[-1], BINS)
    has_truth = np.zeros(len(entropy), dtype=bool) if truth is None else truth[answered] != ABSTAIN
    right = has_truth if truth is None else has_truth & (label == truth)[answered]
    size, with_truth, hits, total = (
        np.bincount(group, weights) for weights in (np.ones(len(group)), has_truth, right, entropy)
    )
    return tuple(
        EntropyBin(
            entropy=float(total[b] / size[b]),
            share=float(size[b] / len(group)),
            accuracy=float(hits[b] / with_truth[b]) if with_truth[b] else None,
        )
        for b in np.flatnonzero(size)
    )


def class_scores(
    label: Ints, score: Floats, truth: Ints, classes: Sequence[str]
) -> tuple[ClassScore, ...]:
    """Mean reliability of right and of wrong labels, by the class of the label.

    `label` and `truth` (N,) are class numbers, or ABSTAIN for no label and unknown truth; such
    examples are ignored. `score` (N,) is in [0, 1].

    Source: Guo and Yang 2024, arXiv:2406.19032 (mean reliability of correct and incorrect answers,
        in the authors' repository, Irenehere/ReliableAlignment).
    """
    usable = (truth != ABSTAIN) & (label != ABSTAIN)
    label, score, right = label[usable], score[usable], (label == truth)[usable]
    means = []
    for rows in (right, ~right):
        size = np.bincount(label[rows], minlength=len(classes))
        total = np.bincount(label[rows], score[rows], len(classes))
        means.append([float(t / n) if n else None for t, n in zip(total, size, strict=True)])
    return tuple(ClassScore(*row) for row in zip(classes, *means, strict=True))
