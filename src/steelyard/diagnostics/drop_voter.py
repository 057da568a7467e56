"""Which voter to drop: what the labels would be without each of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from steelyard.types import ABSTAIN, Interval, Ints, Votes

MOST_VOTERS = 8
FEWEST_TRUE = 20
FEWEST_ITEMS = 400
MOST_VOTES = 20_000
"""Votes times voters, above which a random part of the items is weighed again."""

LabelsOf = Callable[[Votes, Ints], Ints]
"""Labels (N,) of votes and the numbers (N,) of their items in the whole table."""


@dataclass(frozen=True)
class WithoutVoter:
    """The labels without one voter, beside those of all voters."""

    voter: str
    changed: float  # share of the labels that differ
    accuracy: float  # where the truth is known, as the next
    difference: Interval  # of the accuracy without the voter to the one with all


@dataclass(frozen=True)
class DropVoters:
    """What dropping each single voter does to the labels."""

    items: int  # weighed again, a random part of many
    voters: tuple[WithoutVoter, ...]  # the best to drop first


def leave_each_voter_out(votes: Votes, labels_of: LabelsOf, truth: Ints) -> DropVoters | None:
    """Weigh the votes again without each voter, and compare the labels with the truth.

    The difference of the accuracies is paired over the items, with a normal 95 % interval; where
    nothing differs it is 0 wide. Votes alone cannot tell whom to drop.

    Args:
        votes: of 3 to 8 voters; with others there is no result.
        labels_of: the method.
        truth: (N,), ABSTAIN where unknown.

    Returns:
        None with fewer than 20 labels of known truth, too.
    """
    if not 3 <= len(votes.voters) <= MOST_VOTERS or (truth != ABSTAIN).sum() < FEWEST_TRUE:
        return None
    items = _sample(votes)
    part = votes_about(votes, items)
    whole = labels_of(part, items)
    judged = (truth[items] != ABSTAIN) & (whole != ABSTAIN)
    if judged.sum() < FEWEST_TRUE:
        return None
    entries = []
    for v, name in enumerate(votes.voters):
        rows = np.flatnonzero(part.voter != v)
        if len(rows) == len(part.voter) or not (part.answer[rows] != ABSTAIN).any():
            continue
        label = labels_of(part.take(rows), items)
        right = (label == truth[items])[judged].astype(float)
        gap = right - (whole == truth[items])[judged]
        middle, half = float(gap.mean()), 1.96 * float(gap.std(ddof=1)) / len(gap) ** 0.5
        entries.append(
            WithoutVoter(
                voter=name,
                changed=float((label != whole)[whole != ABSTAIN].mean()),
                accuracy=float(right.mean()),
                difference=Interval(middle, middle - half, middle + half),
            )
        )
    entries.sort(key=lambda entry: (-entry.difference.value, -entry.changed))
    return DropVoters(len(items), tuple(entries))


def _sample(votes: Votes) -> Ints:
    size = len(votes.ids)
    per_item = len(votes.answer) / max(1, size)
    most = max(FEWEST_ITEMS, int(MOST_VOTES / max(1.0, per_item * len(votes.voters))))
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).choice(size, most, replace=False))


def votes_about(votes: Votes, items: Ints) -> Votes:
    """The votes about some items, by their ascending numbers, as a table of these items."""
    if len(items) == len(votes.ids):
        return votes
    number = np.full(len(votes.ids), -1)
    number[items] = np.arange(len(items))
    taken = votes.take(np.flatnonzero(number[votes.example] >= 0))
    texts = tuple(votes.candidate_texts[i] for i in items) if votes.candidate_texts else ()
    return replace(
        taken,
        ids=tuple(votes.ids[i] for i in items),
        example=number[taken.example],
        candidates=votes.candidates[items],
        candidate_texts=texts,
    )
