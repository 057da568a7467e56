"""Voters against the truth: sensitivity, specificity, precision and kappa of each judge."""

from dataclasses import dataclass

import numpy as np

from steelyard.diagnostics.agreement import Scale, positions
from steelyard.diagnostics.leave_one_out import voter_labels
from steelyard.diagnostics.resampling import percentile_interval, table_resamples
from steelyard.diagnostics.voter_pairs import MOST_CLASSES, cohen, disagreement
from steelyard.diagnostics.voters import wilson
from steelyard.types import ABSTAIN, Floats, Interval, Ints, Votes
from steelyard.types.arrays import tally

MOST_VOTERS = 50


@dataclass(frozen=True)
class ClassRates:
    """One voter and one class, against all other classes; None where there is nothing to count."""

    name: str
    sensitivity: Interval | None  # P(the voter answers the class | it is the truth)
    specificity: Interval | None  # P(the voter answers another | another is the truth)
    precision: Interval | None  # P(the class is the truth | the voter answers it)


@dataclass(frozen=True)
class Judge:
    """A voter on the items of known truth that it answered."""

    voter: str
    items: int
    accuracy: Interval | None
    kappa: Interval | None  # Cohen's with the truth, weighted on a scale
    distance: float | None  # mean |answer - truth| on a scale, else None
    classes: tuple[ClassRates, ...]
    counts: tuple[tuple[int, ...], ...]  # (K, K), items by truth and answer


def judge_against_truth(
    votes: Votes, truth: Ints, scale: Scale = "nominal", *, most: int = MOST_VOTERS
) -> tuple[Judge, ...]:
    """Each voter against the truth, those with most answers on known items first, at most `most`.

    Shares have Wilson's 95 % interval; kappa has a bootstrap interval over the voter's items.

    Args:
        votes: closed answers of at most 20 classes; otherwise there is no result.
        truth: (N,), true classes, ABSTAIN where unknown.
        scale: of the classes, for kappa and distance.
        most: number of voters.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953; Cohen 1960,
        doi:10.1177/001316446002000104.
    """
    k = votes.num_classes
    if votes.candidate_texts or not 2 <= k <= MOST_CLASSES:
        return ()
    labels = voter_labels(votes)
    rows = np.flatnonzero(truth[labels.example] >= 0)
    cell = (labels.voter[rows] * k + truth[labels.example[rows]]) * k + labels.answer[rows]
    tables = tally(cell, labels.voters * k * k).reshape(labels.voters, k, k)
    size = tables.sum(axis=(1, 2))
    order = np.argsort(-size, kind="stable")[:most]
    return tuple(_judge(votes, tables[v], int(v), scale) for v in order if size[v] > 0)


def _judge(votes: Votes, counts: Floats, v: int, scale: Scale) -> Judge:
    names, total = votes.class_names, counts.sum()
    right, given, true = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    rates = (
        proportions(right, true),
        proportions(total - true - given + right, total - true),
        proportions(right, given),
    )
    kappa = cohen(table_resamples(counts), disagreement(names, scale))
    distance = None
    if scale != "nominal":
        place = positions(names, true, "interval")
        distance = float((counts * np.abs(place[:, None] - place)).sum() / total)
    return Judge(
        voter=votes.voters[v],
        items=int(total),
        accuracy=proportions(right.sum()[None], total[None])[0],
        kappa=percentile_interval(kappa),
        distance=distance,
        classes=tuple(ClassRates(*row) for row in zip(names, *rates, strict=True)),
        counts=tuple(tuple(int(n) for n in row) for row in counts),
    )


def proportions(number: Floats, trials: Floats) -> list[Interval | None]:
    """Shares number / trials with Wilson's 95 % interval; None without trials."""
    share = np.divide(number, trials, out=np.zeros(len(trials)), where=trials > 0)
    spans = wilson(share, trials)
    return [None if np.isnan(row[0]) else Interval(*map(float, row)) for row in spans]


@dataclass(frozen=True)
class BestVoter:
    """The most accurate single voter, beside the labels, on the items that it answered."""

    voter: str
    items: int
    accuracy: float
    labels_accuracy: float
    difference: Interval  # of the labels to the voter


def best_voter(votes: Votes, label: Ints, truth: Ints) -> BestVoter | None:
    """The most accurate voter among those who answered at least half of the items of known truth.

    The difference is paired, with a normal 95 % interval. A best voter chosen on the same items
    looks a little better than it is.

    Args:
        votes: answers of at least two voters.
        label: (N,), the labels to compare, ABSTAIN for none.
        truth: (N,), ABSTAIN where unknown.

    Returns:
        None where no voter answered half of the items and at least 20 of them.
    """
    labels = voter_labels(votes)
    judged = (truth != ABSTAIN) & (label != ABSTAIN)
    rows = np.flatnonzero(judged[labels.example])
    right = (labels.answer == truth[labels.example])[rows]
    size = tally(labels.voter[rows], labels.voters)
    eligible = size >= max(20.0, judged.sum() / 2)
    if len(votes.voters) < 2 or not eligible.any():
        return None
    share = tally(labels.voter[rows], labels.voters, right) / np.maximum(size, 1)
    v = int(np.argmax(np.where(eligible, share, -1.0)))
    of_voter = rows[labels.voter[rows] == v]
    example = labels.example[of_voter]
    label_right = (label == truth)[example]
    gap = label_right.astype(float) - (labels.answer == truth[labels.example])[of_voter]
    half = 1.96 * float(gap.std(ddof=1)) / len(gap) ** 0.5
    middle = float(gap.mean())
    return BestVoter(
        voter=votes.voters[v],
        items=len(gap),
        accuracy=float(share[v]),
        labels_accuracy=float(label_right.mean()),
        difference=Interval(middle, middle - half, middle + half),
    )
