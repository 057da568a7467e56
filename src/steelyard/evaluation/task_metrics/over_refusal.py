"""Over-refusal: harmless rows that are called harmful."""

from typing import Literal

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation.base_metric import MetricFacts
from steelyard.evaluation.resample_sums import Counts, column_sums, safe_ratio
from steelyard.evaluation.task_metrics.protocol import TaskMetric
from steelyard.evaluation.test_rows import TestRows
from steelyard.types import Floats, Ints
from steelyard.types.arrays import leaders


class OverRefusal(TaskMetric):
    """Share of the rows of all other classes that are called `unsafe`; lower is better.

    It is the false positive rate of that class. Of k tied answers each counts 1/k; a row without
    an answer is not called unsafe. With `data.slice` it is reported for each kind of prompt.

    Source: Roettger et al. 2024, arXiv:2308.01263 (XSTest; there of refusals of a chat model).
    """

    kind: Literal["over_refusal"] = "over_refusal"
    unsafe: str = "unsafe"
    """Name of the class of harmful rows."""

    @property
    def name(self) -> str:
        return f"over-refusal ({self.unsafe})"

    def bind(self, rows: TestRows) -> MetricFacts:
        if self.unsafe not in rows.classes:
            rows.class_number(self.unsafe, self.kind)
        number = rows.classes.index(self.unsafe)
        if (rows.truth == number).all():
            raise InputError(
                f"`{self.kind}` is not defined here: every test row is of class {self.unsafe!r}. "
                "Take test rows of other classes too."
            )

        def score(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
            called, safe = leaders(probs)[:, number], truth != number
            wrong, total = column_sums(np.column_stack([called * safe, safe]), counts).T
            return safe_ratio(wrong, total)

        return MetricFacts(self.name, score, lower_is_better=True)
