"""F1 and recall of one class."""

from typing import Literal

import numpy as np

from steelyard.evaluation.base_metric import MetricFacts
from steelyard.evaluation.resample_sums import Counts, column_sums, safe_ratio
from steelyard.evaluation.task_metrics.protocol import TaskMetric
from steelyard.evaluation.test_rows import TestRows
from steelyard.types import Floats, Ints
from steelyard.types.arrays import leaders


class ClassF1(TaskMetric):
    """F1 of one class, 2 hits / (actual + predicted); 0 for a class that is never hit.

    Of k tied answers each is 1/k of a prediction; no answer predicts no class.
    """

    kind: Literal["f1"] = "f1"
    of: str
    """Name of the class, such as `unsafe`."""

    @property
    def name(self) -> str:
        return f"f1 of {self.of}"

    def bind(self, rows: TestRows) -> MetricFacts:
        number = rows.class_number(self.of, self.kind)

        def score(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
            hits, actual, predicted = _counted(truth, probs, counts, number)
            return safe_ratio(2 * hits, actual + predicted)

        return MetricFacts(self.name, score)


class ClassRecall(TaskMetric):
    """Share of the rows of one class that are answered with it.

    Ties and abstentions count as for `f1`.
    """

    kind: Literal["recall"] = "recall"
    of: str
    """Name of the class, such as `unsafe`."""

    @property
    def name(self) -> str:
        return f"recall of {self.of}"

    def bind(self, rows: TestRows) -> MetricFacts:
        number = rows.class_number(self.of, self.kind)

        def score(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
            hits, actual, _ = _counted(truth, probs, counts, number)
            return safe_ratio(hits, actual)

        return MetricFacts(self.name, score)


def _counted(truth: Ints, probs: Floats, counts: Counts | None, number: int) -> Floats:
    """Rows of the class that are hit, actual and predicted, (3, R)."""
    predicted, actual = leaders(probs)[:, number], truth == number
    return column_sums(np.column_stack([predicted * actual, actual, predicted]), counts).T
