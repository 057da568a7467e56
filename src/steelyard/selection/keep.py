"""Keep the most reliable examples."""

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from steelyard.selection.labels import UNANSWERED, answered, most_probable, select
from steelyard.types import Floats, Reliability, Selection, Votes, one_hot

Ties = Literal["keep", "drop", "random"]


class KeepMostReliable(BaseModel):
    """Keep the share of examples with the highest scores, each with its most probable answer.

    Few votes mean few distinct scores, so ties at the threshold are the rule: `keep` takes all of
    them (the paper's, which keeps 53 to 72 % at a fraction of 0.5), `drop` none of them unless
    nothing would be left, `random` fills to exactly ceil(fraction * N) with a seeded draw.
    Examples without a readable vote are never kept and do not count in N.

    Source: Guo and Yang 2024, arXiv:2406.19032, uncertainty filtering (from the authors' code,
        `our_method_uncertainty_filtering.py` of Irenehere/ReliableAlignment; `drop`, `random` and
        leaving out abstentions are ours).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1

    kind: Literal["keep"] = "keep"
    fraction: float = Field(0.5, gt=0, le=1)
    """Share of the answered examples, in (0, 1]."""
    ties: Ties = "keep"
    """What becomes of examples whose score is exactly the threshold."""
    seed: int = Field(0, ge=0)
    """Of the draw among ties."""

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        has = answered(votes)
        kept = most_reliable(reliability.score, has, self.fraction, self.ties, self.seed)
        labels = most_probable(votes, reliability.posterior, self.seed)
        return select(
            votes.ids,
            one_hot(labels, votes.answers),
            np.ones(len(labels)),
            {UNANSWERED: ~has, f"not among the most reliable {self.fraction:.0%}": ~kept},
        )


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
