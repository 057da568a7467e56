"""Predictions of a model, and a number with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from steelyard.types.arrays import Floats, check_rows


@dataclass(frozen=True, eq=False)
class Predictions:
    """One model's class probabilities of N examples.

    Attributes:
        model: its name.
        ids: names of the examples.
        probs: (N, K), rows sum to 1.
    """

    model: str
    ids: tuple[str, ...]
    probs: Floats

    def __repr__(self) -> str:
        classes = self.probs.shape[1]
        return f"<Predictions: {self.model}, {len(self.ids):,} examples, {classes} answers>"

    def __post_init__(self) -> None:
        check_rows(self.probs, len(self.ids), self.ids, "probs")


@dataclass(frozen=True, eq=False)
class ModelAnswers:
    """What a trained model answers to N questions: probabilities, or texts of open answers."""

    probs: Floats | None = None  # (N, K), rows sum to 1; None of open answers
    texts: tuple[str | None, ...] = ()  # (N,), None if unreadable; empty of closed answers
    uncertainty: Mapping[str, Floats] = field(default_factory=dict)  # by measure, (N,) each


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float
