"""A metric, however it is named, on one set of test rows."""

from steelyard.evaluation.base_metric import BaseMetric, MetricFacts, metric_facts
from steelyard.evaluation.task_metrics import TaskMetric
from steelyard.evaluation.test_rows import TestRows


def bind(metric: str | BaseMetric | TaskMetric | MetricFacts, rows: TestRows) -> MetricFacts:
    """The metric as `measure` takes it.

    Raises:
        ConfigError: no metric has this name.
        InputError: it is not defined on these rows.
    """
    if isinstance(metric, MetricFacts):
        return metric
    if isinstance(metric, TaskMetric):
        return metric.bind(rows)
    return metric_facts(metric)


def metric_name(metric: str | BaseMetric | TaskMetric) -> str:
    """The name of a metric in tables and results."""
    if isinstance(metric, str):
        return metric
    return metric.name if isinstance(metric, TaskMetric) else metric.kind
