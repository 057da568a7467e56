"""Keep the most reliable examples."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.errors import InputError
from steelyard.selection.label_and_ties import (
    UNANSWERED,
    UNREADABLE,
    most_probable,
    select,
    unreadable,
)
from steelyard.selection.protocol import BaseSelector, Control
from steelyard.types import Floats, Ints, Reliability, Selection, Votes, one_hot

Ties = Literal["keep", "drop", "random"]


class KeepMostReliable(BaseSelector):
    """Keep the share of examples with the highest scores, each with its most probable answer.

    Few votes give few distinct scores, so ties at the threshold are common: `keep` takes all of
    them (as the paper does, which keeps 53 to 72 % at a fraction of 0.5), `drop` takes none unless
    nothing would be left, `random` draws among them until exactly ceil(fraction * N) are kept.
    Examples without a readable vote are never kept and do not count in N.

    The paper trains the student on every vote of a kept example, wrong ones included; one row per
    vote has the same loss as one row with the vote shares as target (`labels: votes`). On GSM8K it
    drops an example before anything else if any of its votes is unreadable
    (`drop_unreadable`).

    Source: Guo and Yang 2024, arXiv:2406.19032, uncertainty filtering (from the authors' code,
        `our_method_uncertainty_filtering.py` of Irenehere/ReliableAlignment; `drop`, `random`,
        dropping abstentions and one label per example are ours).
    """

    version: ClassVar[int] = 2  # 2: ties do not depend on the order of the classes
    control: ClassVar[Control] = "random_keep"

    kind: Literal["keep"] = "keep"
    fraction: float = Field(0.5, gt=0, le=1)
    """Share of the answered examples, in (0, 1]."""
    ties: Ties = "keep"
    """Whether examples whose score equals the threshold are kept, dropped, or drawn at random."""
    labels: Literal["majority", "votes"] = "majority"
    """`majority`: one label per example, the most probable answer. `votes`: the vote shares as a
    soft label, as in the paper."""
    drop_unreadable: bool = False
    """Drop examples with an unreadable vote before the share is computed."""
    per_class: bool = False
    """Keep the share within each class, for closed questions only. Voters agree most on the
    frequent class, so that a filter over all examples may keep no other."""
    seed: int = Field(0, ge=0)
    """Random seed for ties."""

    @property
    def by_class(self) -> bool:
        return self.per_class

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        dropped = unreadable(votes) & self.drop_unreadable
        labels = most_probable(votes, reliability.posterior, self.seed)
        kept = np.zeros(len(votes.ids), dtype=bool)
        for group in self._groups(votes, labels):
            eligible = votes.answered & ~dropped & group
            kept |= most_reliable(reliability.score, eligible, self.fraction, self.ties, self.seed)
        targets = votes.shares() if self.labels == "votes" else one_hot(labels, votes.num_classes)
        reasons = {
            UNANSWERED: ~votes.answered,
            UNREADABLE: dropped,
            f"not among the most reliable {self.fraction:.0%}": ~kept,
        }
        return select(votes.ids, targets, reasons)

    def unfiltered(self, votes: Votes, reliability: Reliability) -> Selection:
        return self.model_copy(update={"fraction": 1.0}).select(votes, reliability)

    def _groups(self, votes: Votes, labels: Ints) -> list[npt.NDArray[np.bool_]]:
        """Masks of the examples that compete with each other, (N,) each."""
        if not self.per_class:
            return [np.ones(len(labels), dtype=bool)]
        if votes.candidate_texts:
            raise InputError(
                "`per_class` needs classes, and open answers have none; remove the setting."
            )
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
