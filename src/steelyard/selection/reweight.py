"""Keep every example and weight it by its reliability."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.selection.label_and_ties import (
    UNANSWERED,
    UNREADABLE,
    most_probable,
    select,
    unreadable,
)
from steelyard.selection.protocol import BaseSelector, Control
from steelyard.types import Reliability, Selection, Votes, one_hot


class WeighByShare(BaseSelector):
    """Every answer given to an example, weighted by its sharpened vote share.

    The paper trains on one row for each vote and weights the row of answer a by

        r(a | x) = exp(p(a) / T) / sum over the answers given of exp(p(a') / T).

    An answer with share p(a) has p(a) of the rows, so the loss of an example is
    sum_a p(a) r(a) CE(a): its target is proportional to p(a) r(a) and its weight is
    sum_a p(a) r(a), which is what this returns, scaled to mean weight 1. The paper skips an example
    if any of its votes is unreadable (`drop_unreadable`); by default its readable votes count.

    Source: Guo and Yang 2024, arXiv:2406.19032, reliability re-weighting (from the
        authors' code, `our_method_reweighting.py` of Irenehere/ReliableAlignment; the
        weighted target for each example instead of a row for each vote, and mean weight 1, are
        ours).
    """

    version: ClassVar[int] = 1
    control: ClassVar[Control] = "shuffled_weights"

    kind: Literal["weigh_by_share"] = "weigh_by_share"
    temperature: float = Field(0.2, gt=0)
    """Temperature T; in the paper 0.2, and 1 for two votes per example."""
    drop_unreadable: bool = False
    """Drop examples with an unreadable vote (as the paper does)."""

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        dropped = unreadable(votes) & self.drop_unreadable
        mass = votes.shares() * votes.sharpened(self.temperature)
        weights = mass.sum(axis=1)
        targets = np.divide(mass, weights[:, None], out=votes.uniform(), where=weights[:, None] > 0)
        reasons = {UNANSWERED: ~votes.answered, UNREADABLE: dropped}
        return select(votes.ids, targets, reasons, weights)


class WeighByScore(BaseSelector):
    """Every example with its most probable answer, w_i = score_i over the mean score.

    Scaling to mean 1 keeps the meaning of the learning rate. Examples of score 0 are dropped.
    """

    version: ClassVar[int] = 2  # 2: ties do not depend on the order of the classes
    control: ClassVar[Control] = "shuffled_weights"

    kind: Literal["weigh_by_score"] = "weigh_by_score"
    seed: int = Field(0, ge=0)
    """Random seed for ties."""

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        labels = most_probable(votes, reliability.posterior, self.seed)
        targets = one_hot(labels, votes.num_classes)
        return select(votes.ids, targets, {UNANSWERED: ~votes.answered}, reliability.score)
