"""Labels, votes and their agreement, by class and by slices of the items."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.diagnostics.agreement import Scale, agreement_coefficients
from steelyard.diagnostics.drop_voter import votes_about
from steelyard.diagnostics.judges import proportions
from steelyard.types import ABSTAIN, Floats, Interval, Ints, Votes
from steelyard.types.arrays import tally

MOST_SLICES = 50
MOST_CLASSES = 1000


@dataclass(frozen=True)
class ClassCount:
    """How often a class is named."""

    name: str
    votes: int
    share_of_votes: float
    labels: int
    share_of_labels: float


@dataclass(frozen=True)
class Slice:
    """The items with one value of a column."""

    name: str
    items: int
    votes: int
    score: float  # mean, of the labels
    krippendorff: Interval | None  # alpha among the voters
    true_items: int
    accuracy: Interval | None  # of the labels, where the truth is known
    shares: tuple[float, ...]  # of each class among the labels; empty for open answers


def class_counts(votes: Votes, label: Ints) -> tuple[ClassCount, ...]:
    """Votes and labels of each class; empty for open answers. At most the 1,000 commonest.

    `label` (N,) are class numbers, ABSTAIN for none.
    """
    if votes.candidate_texts:
        return ()
    k = votes.num_classes
    given = tally(votes.answer[votes.answer != ABSTAIN], k)
    labels = tally(label[label >= 0], k)
    order = range(k) if k <= MOST_CLASSES else np.sort(np.argsort(-given)[:MOST_CLASSES])
    return tuple(
        ClassCount(
            name=votes.class_names[c],
            votes=int(given[c]),
            share_of_votes=float(given[c] / max(1.0, given.sum())),
            labels=int(labels[c]),
            share_of_labels=float(labels[c] / max(1.0, labels.sum())),
        )
        for c in order
    )


def slices(
    votes: Votes,
    names: Sequence[str],
    label: Ints,
    score: Floats,
    truth: Ints | None = None,
    *,
    scale: Scale = "nominal",
) -> tuple[Slice, ...]:
    """Agreement, scores and accuracy of each slice, the largest first, at most 50.

    Args:
        votes: about N items.
        names: (N,), the slice of each item; "" is none.
        label: (N,), ABSTAIN for none.
        score: (N,), in [0, 1].
        truth: (N,), ABSTAIN where unknown.
        scale: of the classes.
    """
    values, number = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    size = np.bincount(number, minlength=len(values))
    order = [v for v in np.argsort(-size, kind="stable") if values[v]][:MOST_SLICES]
    rows = [np.flatnonzero(number == v) for v in order]
    return tuple(
        _slice(votes, str(values[v]), items, label, score, truth, scale)
        for v, items in zip(order, rows, strict=True)
    )


def _slice(
    votes: Votes,
    name: str,
    items: Ints,
    label: Ints,
    score: Floats,
    truth: Ints | None,
    scale: Scale,
) -> Slice:
    part, labels = votes_about(votes, items), label[items]
    labelled = labels >= 0
    right, trials = 0.0, 0.0
    if truth is not None:
        judged = labelled & (truth[items] != ABSTAIN)
        right, trials = float((labels == truth[items])[judged].sum()), float(judged.sum())
    counts = tally(labels[labelled], max(1, votes.num_classes))
    shares = () if votes.candidate_texts else tuple(counts / max(1.0, counts.sum()))
    return Slice(
        name=name,
        items=len(items),
        votes=int((part.answer != ABSTAIN).sum()),
        score=float(score[items][labelled].mean()) if labelled.any() else 0.0,
        krippendorff=agreement_coefficients(part, scale, resamples=200).krippendorff,
        true_items=int(trials),
        accuracy=proportions(np.array([right]), np.array([trials]))[0],
        shares=tuple(map(float, shares)),
    )
