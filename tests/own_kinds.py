"""Kinds as a researcher outside the package writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

import steelyard as sy

SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 40, "strong_train": 60, "max_test": 40},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {
        **{"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
        "regularization": 1.0,
    },
    "arms": ["majority"],
    "seeds": 1,
}
"""A small study, in which kinds from outside take a part."""


class Shy(sy.VoteEstimator):
    """Vote shares, with a score that is never above `share`."""

    kind: Literal["shy"] = "shy"
    share: float = Field(0.9, gt=0, le=1)

    def estimate(self, votes: sy.Votes, gold: np.ndarray | None = None) -> sy.Reliability:
        plain = sy.VoteShare().estimate(votes)
        jitter = np.random.default_rng(0).random(len(votes.ids)) / 100
        return sy.Reliability(votes.ids, plain.posterior, plain.score * self.share * (1 - jitter))


class ErrorRate(sy.BaseMetric):
    """Share of wrong answers, times `scale`."""

    lower_is_better: ClassVar[bool] = True

    kind: Literal["error_rate"] = "error_rate"
    scale: float = Field(1.0, gt=0, le=1)

    def score(self, truth: np.ndarray, probs: np.ndarray) -> float:
        return float((probs.argmax(axis=1) != truth).mean()) * self.scale


class Coin(sy.BaseSupervisor):
    """Three voters that draw a class for each question."""

    kind: Literal["coin"] = "coin"

    def vote(self, request: sy.VoteRequest) -> list[sy.Votes]:
        tables = []
        for questions in request.questions:
            rng = np.random.default_rng([request.seed, len(questions)])
            shape = (len(questions), 3)
            example, voter = (index.ravel() for index in np.indices(shape))
            table = sy.Votes(
                ids=tuple(question.id for question in questions),
                voters=("coin/0", "coin/1", "coin/2"),
                queries=("toss",),
                example=example,
                voter=voter,
                query=np.zeros(example.size, dtype=np.int64),
                answer=rng.integers(0, len(request.classes), example.size),
                candidates=np.full(len(questions), len(request.classes)),
                classes=request.classes,
            )
            tables.append(table)
        return tables


class Prior(sy.BaseStudent):
    """Learns how common each class is, and nothing else."""

    kind: Literal["prior"] = "prior"
    pseudo_count: float = Field(1.0, gt=0)

    def fit(self, data: sy.TrainingData, options: sy.TrainingOptions) -> "TrainedPrior":
        counts = data.weights @ data.targets + self.pseudo_count
        return TrainedPrior(counts / counts.sum())


@dataclass(frozen=True, eq=False)
class TrainedPrior(sy.BaseTrainedStudent):
    shares: np.ndarray

    def predict(self, questions: Sequence[sy.Question], states: Any = None) -> sy.ModelAnswers:
        return sy.ModelAnswers(np.tile(self.shares, (len(questions), 1)))
