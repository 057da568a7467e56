"""Metrics of one class's probability over all thresholds."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import InputError
from steelyard.evaluation.base_metric import MetricFacts
from steelyard.evaluation.metrics import spread_missing
from steelyard.evaluation.resample_sums import Counts, blocks, safe_ratio
from steelyard.evaluation.task_metrics.protocol import TaskMetric
from steelyard.evaluation.test_rows import TestRows
from steelyard.types import Floats, Ints


class RecallAtFpr(TaskMetric):
    """Recall of one class at the threshold with a given false positive rate.

    The class is called where its probability is above a threshold. Rows of equal probability are
    called in random order: between two thresholds the recall is linear in the false positive rate,
    as the ROC curve is drawn. A row without an answer has the probability 1 / K.

    Source: Fawcett 2006, doi:10.1016/j.patrec.2005.10.010, section 5 (ties).
    """

    kind: Literal["recall_at_fpr"] = "recall_at_fpr"
    of: str
    """Name of the class, such as `unsafe`."""
    fpr: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """False positive rate: share of the rows of other classes that are called."""

    @property
    def name(self) -> str:
        return f"recall of {self.of} at FPR {self.fpr:g}"

    def bind(self, rows: TestRows) -> MetricFacts:
        number = _with_others(rows, self.of, self.kind)

        def score(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
            values = [
                _recall_at(up, down, self.fpr) for up, down in _steps(truth, probs, counts, number)
            ]
            return np.concatenate(values)

        return MetricFacts(self.name, score)


class AveragePrecision(TaskMetric):
    """Area under the precision-recall curve of one class, by steps, as scikit-learn computes it.

    Sum over thresholds of (increase of recall) * precision; rows of equal probability are called
    together. A row without an answer has the probability 1 / K.
    """

    kind: Literal["average_precision"] = "average_precision"
    of: str
    """Name of the class, such as `unsafe`."""

    @property
    def name(self) -> str:
        return f"average precision of {self.of}"

    def bind(self, rows: TestRows) -> MetricFacts:
        number = rows.class_number(self.of, self.kind)

        def score(truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
            values = []
            for up, down in _steps(truth, probs, counts, number):
                hits = up.cumsum(axis=1)
                precision = safe_ratio(hits, hits + down.cumsum(axis=1), undefined=0.0)
                values.append(safe_ratio((up * precision).sum(axis=1), hits[:, -1]))
            return np.concatenate(values)

        return MetricFacts(self.name, score)


def _with_others(rows: TestRows, of: str, kind: str) -> int:
    number = rows.class_number(of, kind)
    if (rows.truth == number).all():
        raise InputError(
            f"`{kind}` is not defined here: every test row is of class {of!r}, so there is no "
            "false positive. Take test rows of other classes too."
        )
    return number


def _steps(
    truth: Ints, probs: Floats, counts: Counts | None, number: int
) -> "list[tuple[Floats, Floats]]":
    """Rows of the class and of others at each probability, from the largest, (R, steps) each."""
    score, positive = spread_missing(probs)[:, number], truth == number
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(-score[order], prepend=-np.inf) > 0)
    sign = positive[order].astype(np.float64)
    steps = []
    for block in blocks(counts, len(score)):
        weight = block[:, order]
        up = np.add.reduceat(weight * sign, starts, axis=1)
        down = np.add.reduceat(weight * (1 - sign), starts, axis=1)
        steps.append((up, down))
    return steps


def _recall_at(up: Floats, down: Floats, fpr: float) -> Floats:
    """Recall where the ROC curve has this false positive rate, (R,); nan without either class.

    Of steps straight up at exactly this rate the last one counts.
    """
    actual, others = up.sum(axis=1), down.sum(axis=1)
    allowed = fpr * others
    before = down.cumsum(axis=1) - down
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(down > 0, (allowed[:, None] - before) / down, np.inf)
    part = np.where(allowed[:, None] >= before, np.clip(part, 0.0, 1.0), 0.0)
    recall = safe_ratio((up * part).sum(axis=1), actual)
    return np.where(others > 0, recall, np.nan)
