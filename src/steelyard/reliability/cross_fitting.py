"""Predictions of examples by models that were not trained on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.types import Floats, Ints

Answers: TypeAlias = tuple[Floats, ...]
"""Predictions of each of the sequences of rows that a model was asked, (n, K) each."""


@dataclass(frozen=True, eq=False)
class Fold:
    """What one model is trained on, and the rows that it predicts."""

    rows: Ints  # (n,), different rows
    targets: Floats  # (n, K), rows sum to 1
    weights: Floats  # (n,), > 0
    asked: tuple[Ints, ...]  # rows, none of which is trained on


class FoldPredictor(Protocol):
    """Trains a model for each fold and asks it the fold's rows.

    Rows are numbers: 0 to N - 1 are the examples, N to N + M - 1 the trusted ones.
    """

    def __call__(self, folds: Sequence[Fold], size: float) -> Sequence[Answers | None]:
        """Predictions of each fold; None where no model could be trained.

        Args:
            folds: any number.
            size: total weight that a penalty on the weights is in proportion to.
        """


@dataclass(frozen=True, eq=False)
class FeatureHeads:
    """Logistic regressions on features, all folds in one solve.

    Raises (when called): TrainingError if a regression is not found.
    """

    features: npt.NDArray[np.float32]  # (N + M, d)
    l2: float  # strength of the penalty; scikit-learn's C is 1 / (2 size l2)

    def __call__(self, folds: Sequence[Fold], size: float) -> Sequence[Answers | None]:
        heads = [HeadTargets(fold.rows, fold.targets, fold.weights) for fold in folds]
        fitted = fit_heads(self.features, heads, 1 / (2 * size * self.l2))
        return [
            tuple(head.probabilities(self.features[rows]) for rows in fold.asked)
            for head, fold in zip(fitted, folds, strict=True)
        ]
