"""Reliability: how likely each label is right, and how accurate each voter is."""

from dataclasses import dataclass

import numpy as np

from steelyard.errors import InputError
from steelyard.io.counted import counted
from steelyard.types.arrays import Floats, check_rows


@dataclass(frozen=True, eq=False)
class VoterSkill:
    """What an estimator learnt about each of V voters.

    Attributes:
        voters: their names.
        accuracy: (V,), in [0, 1], P(the voter's answer is right), over the classes in the
            proportions in which they occur.
        confusion: (V, K, K), P(the voter answers l | the truth is k) at [v, k, l], rows sum to 1;
            None where the estimator has none.
    """

    voters: tuple[str, ...]
    accuracy: Floats
    confusion: Floats | None = None

    def __post_init__(self) -> None:
        if self.accuracy.shape != (len(self.voters),):
            raise InputError(
                f"`accuracy` must be ({len(self.voters)},), got {self.accuracy.shape}."
            )


@dataclass(frozen=True, eq=False)
class Reliability:
    """How far the label of each of N examples can be trusted; an estimator returns it.

    >>> import numpy as np
    >>> posterior = np.array([[0.9, 0.1], [0.5, 0.5]])
    >>> Reliability(("q1", "q2"), posterior, score=posterior.max(axis=1))
    <Reliability: 2 examples, 2 answers; score 0.500 to 0.900, mean 0.700>

    Attributes:
        ids: names of the examples.
        posterior: (N, K), P(answer | votes), rows sum to 1.
        score: (N,), in [0, 1]; a higher score is a more reliable label.
        skill: what was learnt about the voters, or None.
    """

    ids: tuple[str, ...]
    posterior: Floats
    score: Floats
    skill: VoterSkill | None = None

    def __repr__(self) -> str:
        head = f"<Reliability: {counted(len(self.ids), 'example')}"
        if not len(self.ids):
            return f"{head}>"
        low, high, mean = self.score.min(), self.score.max(), self.score.mean()
        text = (
            f"{head}, {counted(self.posterior.shape[1], 'answer')}; "
            f"score {low:.3f} to {high:.3f}, mean {mean:.3f}"
        )
        if self.skill is None:
            return f"{text}>"
        accuracies = self.skill.accuracy
        return (
            f"{text}\n  accuracy of {counted(len(self.skill.voters), 'voter')}: "
            f"{accuracies.min():.3f} to {accuracies.max():.3f}>"
        )

    def __post_init__(self) -> None:
        check_rows(self.posterior, len(self.ids), self.ids, "posterior")
        if self.score.shape != (len(self.ids),):
            raise InputError(f"`score` must be ({len(self.ids)},), got {self.score.shape}.")
        bad = ~((self.score >= 0) & (self.score <= 1))
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise InputError(f"score {self.score[i]} of {self.ids[i]!r} is not in [0, 1].")
