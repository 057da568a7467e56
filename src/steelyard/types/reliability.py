"""How far weak labels and voters can be trusted."""

from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.types.arrays import Floats, check_rows


@dataclass(frozen=True, eq=False)
class VoterSkill:
    """What an estimator learnt about each voter."""

    voters: tuple[str, ...]  # V
    accuracy: Floats  # (V,), P(the voter's answer is right) over the classes as they occur
    confusion: Floats | None = None  # (V, K, K), P(voter answers l | truth is k), rows sum to 1

    def __post_init__(self) -> None:
        if self.accuracy.shape != (len(self.voters),):
            raise InputError(
                f"`accuracy` must be ({len(self.voters)},), got {self.accuracy.shape}."
            )


@dataclass(frozen=True, eq=False)
class Reliability:
    """How far each weak label can be trusted."""

    ids: tuple[str, ...]
    posterior: Floats  # (N, K), P(answer | votes), rows sum to 1
    score: Floats  # (N,), in [0, 1], higher is more reliable
    skill: VoterSkill | None = None  # of the voters, where the estimator learns it

    def __post_init__(self) -> None:
        check_rows(self.posterior, len(self.ids), self.ids, "posterior")
        if self.score.shape != (len(self.ids),):
            raise InputError(f"`score` must be ({len(self.ids)},), got {self.score.shape}.")
        bad = ~((self.score >= 0) & (self.score <= 1))
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise InputError(f"score {self.score[i]} of {self.ids[i]!r} is not in [0, 1].")
