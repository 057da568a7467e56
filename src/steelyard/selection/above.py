"""Keep the examples whose score is above a number."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.selection.label_and_ties import UNANSWERED, most_probable, select
from steelyard.selection.protocol import BaseSelector, Control
from steelyard.types import Reliability, Selection, Votes, one_hot


class KeepAbove(BaseSelector):
    """Keep every example whose score is above a number, each with its most probable answer.

    At 0, the default, it keeps whatever the estimator did not reject. Example: scores 0, .6 and .8
    keep the last two at 0, and the last alone at .6. Examples without a readable vote are never
    kept.

    Source: Shi et al. 2025, arXiv:2503.04249 (stage I, with the score of `vote_share`; the abstract
        and a summary of the method were read).
    """

    version: ClassVar[int] = 1
    control: ClassVar[Control] = "random_keep"

    kind: Literal["above"] = "above"
    score: float = Field(0.0, ge=0, lt=1)
    """Kept examples have a higher score."""
    seed: int = Field(0, ge=0)
    """Random seed for ties between answers."""

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        reason = f"score not above {self.score:g}"
        return self._select(votes, reliability, {reason: reliability.score <= self.score})

    def unfiltered(self, votes: Votes, reliability: Reliability) -> Selection:
        return self._select(votes, reliability, {})

    def _select(
        self, votes: Votes, reliability: Reliability, dropped: dict[str, npt.NDArray[np.bool_]]
    ) -> Selection:
        labels = most_probable(votes, reliability.posterior, self.seed)
        reasons = {UNANSWERED: ~votes.answered, **dropped}
        return select(votes.ids, one_hot(labels, votes.num_classes), reasons)
