"""Metrics with settings: of a class, of costs, of groups. One file each."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.evaluation.task_metrics.by_threshold import AveragePrecision, RecallAtFpr
from steelyard.evaluation.task_metrics.cost import Cost
from steelyard.evaluation.task_metrics.group_exact_match import GroupExactMatch
from steelyard.evaluation.task_metrics.of_class import ClassF1, ClassRecall
from steelyard.evaluation.task_metrics.over_refusal import OverRefusal
from steelyard.evaluation.task_metrics.protocol import TaskMetric

TaskMetricSettings: TypeAlias = Annotated[
    ClassF1 | ClassRecall | RecallAtFpr | AveragePrecision | Cost | OverRefusal | GroupExactMatch,
    Field(discriminator="kind"),
]
"""The metrics with settings, told apart by `kind`."""

TASK_METRICS: tuple[type[TaskMetric], ...] = (
    *(ClassF1, ClassRecall, RecallAtFpr, AveragePrecision, Cost, OverRefusal, GroupExactMatch),
)

__all__ = [
    "TASK_METRICS",
    "AveragePrecision",
    "ClassF1",
    "ClassRecall",
    "Cost",
    "GroupExactMatch",
    "OverRefusal",
    "RecallAtFpr",
    "TaskMetric",
    "TaskMetricSettings",
]
