"""Errors weighed by what they cost."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from steelyard.evaluation.base_metric import MetricFacts
from steelyard.evaluation.resample_sums import Counts, column_sums, safe_ratio
from steelyard.evaluation.task_metrics.protocol import TaskMetric
from steelyard.evaluation.test_rows import TestRows, check_names
from steelyard.types import Floats, Ints
from steelyard.types.arrays import leaders

Amount = Annotated[float, Field(ge=0)]


class Cost(TaskMetric):
    """Mean cost of the answers; lower is better.

    A right answer costs 0, and a wrong one that `costs` does not name costs 1: without `costs` it
    is 1 - accuracy. Of k tied answers each counts 1/k.

    Source: Elkan 2001, IJCAI, section 2 (costs by truth and answer).
    """

    kind: Literal["cost"] = "cost"
    costs: dict[str, dict[str, Amount]] = Field(default_factory=dict)
    """Cost by true class and answer, `{unsafe: {safe: 5}, safe: {unsafe: 1}}`."""
    no_answer: Amount | None = None
    """Cost of a row without an answer; null takes the largest cost of its true class."""

    def table(self, classes: tuple[str, ...]) -> Floats:
        """Cost of each answer by true class, no answer last, (K, K + 1)."""
        size = len(classes)
        table = 1.0 - np.eye(size)
        for truth, row in self.costs.items():
            for answer, cost in row.items():
                table[classes.index(truth), classes.index(answer)] = cost
        none = table.max(axis=1) if self.no_answer is None else np.full(size, self.no_answer)
        return np.column_stack([table, none])

    def bind(self, rows: TestRows) -> MetricFacts:
        check_names(self.costs, rows, self.kind)
        for row in self.costs.values():
            check_names(row, rows, self.kind)
        table = self.table(rows.classes)

        def score(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
            answers = leaders(probs)
            answers = np.column_stack([answers, 1 - answers.sum(axis=1)])
            spent = (answers * table[truth]).sum(axis=1)
            total = column_sums(np.column_stack([spent, np.ones(len(truth))]), counts)
            return safe_ratio(total[:, 0], total[:, 1])

        present = table[np.unique(rows.truth)]
        limits = (float(present.min(axis=1).min()), float(present.max()))
        return MetricFacts(self.name, score, lower_is_better=True, limits=limits)
