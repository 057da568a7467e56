"""Groups of rows that are right as a whole."""

from typing import ClassVar, Literal

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation.base_metric import MetricFacts
from steelyard.evaluation.resample_sums import Counts, column_sums, safe_ratio
from steelyard.evaluation.task_metrics.protocol import TaskMetric
from steelyard.evaluation.test_rows import TestRows
from steelyard.types import Floats, Ints
from steelyard.types.arrays import expected_hits
from steelyard.types.task_kinds import AnswerForm


class GroupExactMatch(TaskMetric):
    """Share of the groups of `data.group` in which every row is answered correctly.

    With ties it is the probability of that, if the tied answers of each row are drawn by chance.

    Source: Hendrycks et al. 2021, arXiv:2008.02275, section 3 (justice and deontology).
    """

    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair", "texts")

    kind: Literal["group_exact_match"] = "group_exact_match"

    @property
    def name(self) -> str:
        return "exact match of groups"

    def bind(self, rows: TestRows) -> MetricFacts:
        if rows.groups is None:
            raise InputError(
                f"`metric: {self.kind}` needs groups of rows; set `data.group` to the column that "
                "names them."
            )
        group = np.unique(rows.groups, return_inverse=True)[1]
        size = np.bincount(group)

        def score(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
            right = np.ones(len(size))
            np.multiply.at(right, group, expected_hits(truth, probs))
            share = 1 / size[group]  # rows of one group count together as one
            total = column_sums(np.column_stack([share * right[group], share]), counts)
            return safe_ratio(total[:, 0], total[:, 1])

        return MetricFacts(self.name, score)
