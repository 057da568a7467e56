"""What a model says of the questions, and a number with its interval."""

from dataclasses import dataclass

from steelyard.types.arrays import Floats, check_rows


@dataclass(frozen=True, eq=False)
class Predictions:
    """One model's class probabilities."""

    model: str
    ids: tuple[str, ...]
    probs: Floats  # (N, K), rows sum to 1

    def __post_init__(self) -> None:
        check_rows(self.probs, len(self.ids), self.ids, "probs")


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float
