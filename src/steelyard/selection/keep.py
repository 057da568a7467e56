"""Keep the most reliable examples."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.errors import InputError
from steelyard.selection.break_ties import (
    UNANSWERED,
    UNREADABLE,
    answered,
    most_probable,
    select,
    unreadable,
)
from steelyard.selection.protocol import BaseSelector, Control
from steelyard.types import Floats, Ints, Reliability, Selection, Votes, one_hot

Ties = Literal["keep", "drop", "random"]


class KeepMostReliable(BaseSelector):
    """Keep the share of examples with the highest scores, each with its most probable answer.

    Few votes mean few distinct scores, so ties at the threshold are the rule: `keep` takes all of
    them (the paper's, which keeps 53 to 72 % at a fraction of 0.5), `drop` none of them unless
    nothing would be left, `random` fills to exactly ceil(fraction * N) with a seeded draw.
    Examples without a readable vote are never kept and do not count in N.

    The paper teaches the student every vote on a kept example, wrong ones too; a row for each of
    its votes has the same loss as one row with the vote shares as target (`labels: votes`). On
    GSM8K it drops an example before anything else if any of its votes is unreadable
    (`drop_unreadable`).

    Source: Guo and Yang 2024, arXiv:2406.19032, uncertainty filtering (from the authors' code,
        `our_method_uncertainty_filtering.py` of Irenehere/ReliableAlignment; `drop`, `random`,
        leaving out abstentions and one label for each example are ours).
    """

    version: ClassVar[int] = 1
    control: ClassVar[Control] = "random_keep"

    kind: Literal["keep"] = "keep"
    fraction: float = Field(0.5, gt=0, le=1)
    """Share of the answered examples, in (0, 1]."""
    ties: Ties = "keep"
    """What becomes of examples whose score is exactly the threshold."""
    labels: Literal["majority", "votes"] = "majority"
    """One label for each example, the most probable answer; or all its votes (the paper's)."""
    drop_unreadable: bool = False
    """Leave out examples with any unreadable vote; the others do not count in N."""
    per_class: bool = False
    """Keep the share of each class's labels: voters agree most on the frequent class, so that a
    filter of all may keep nothing else. Of closed questions."""
    seed: int = Field(0, ge=0)
    """Of the draw among ties."""

    @property
    def by_class(self) -> bool:
        return self.per_class

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        has = answered(votes)
        dropped = unreadable(votes) & self.drop_unreadable
        labels = most_probable(votes, reliability.posterior, self.seed)
        kept = np.zeros(len(votes.ids), dtype=bool)
        for group in self._groups(votes, labels):
            some = has & ~dropped & group
            kept |= most_reliable(reliability.score, some, self.fraction, self.ties, self.seed)
        targets = votes.shares() if self.labels == "votes" else one_hot(labels, votes.num_classes)
        return select(
            votes.ids,
            targets,
            np.ones(len(targets)),
            {
                UNANSWERED: ~has,
                UNREADABLE: dropped,
                f"not among the most reliable {self.fraction:.0%}": ~kept,
            },
        )

    def _groups(self, votes: Votes, labels: Ints) -> list[npt.NDArray[np.bool_]]:
        """Examples that are compared with each other, (N,) each."""
        if not self.per_class:
            return [np.ones(len(labels), dtype=bool)]
        if votes.candidate_texts:
            raise InputError("`per_class` is of classes, and open answers have none; leave it out.")
        return [labels == k for k in range(votes.num_classes)]


def most_reliable(
    score: Floats, eligible: npt.NDArray[np.bool_], fraction: float, ties: Ties, seed: int
) -> npt.NDArray[np.bool_]:
    """Which of the eligible examples are kept, (N,)."""
    rows = np.flatnonzero(eligible)
    kept = np.zeros(len(score), dtype=bool)
    if len(rows) == 0:
        return kept
    wanted = int(np.ceil(fraction * len(rows) - 1e-9))
    draw = np.random.default_rng(seed).permutation(len(rows))
    order = rows[np.lexsort((draw, -score[rows]))]
    threshold = score[order[wanted - 1]]
    if ties == "random":
        kept[order[:wanted]] = True
    elif ties == "keep" or not (score[rows] > threshold).any():
        kept[rows] = score[rows] >= threshold
    else:
        exact = (score[rows] >= threshold).sum() == wanted
        kept[rows] = score[rows] >= threshold if exact else score[rows] > threshold
    return kept
