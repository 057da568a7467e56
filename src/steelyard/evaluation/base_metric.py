"""A metric from outside the package."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from steelyard.evaluation.metrics import LIMITS, LOWER_IS_BETTER, find_metric
from steelyard.evaluation.resample_sums import Counts, Metric
from steelyard.types import Floats, Ints
from steelyard.types.task_kinds import AnswerForm, refuse_kind


class BaseMetric(BaseModel):
    """Frozen settings of a metric; a subclass has a `kind` and `score(truth, probs)`.

    Intervals, paired differences and PGR are computed from `score` on 1,000 bootstrap resamples of
    the test items. Override `resampled` if one call takes longer than about a millisecond.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str
    """Name of the metric in study files and results."""
    lower_is_better: ClassVar[bool] = False
    limits: ClassVar[tuple[float, float]] = (0.0, 1.0)
    """The smallest and the largest possible score; infinite where there is none."""
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options")
    """Forms of answers that it can score: "classes", "options", "pair" or "texts". An open answer
    is class 0 if it is right, and class 1 if it is wrong."""

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if it cannot score such a task."""
        what = f"`metric: {self.kind}` scores other tasks"
        refuse_kind(kind, self.answer_forms, what, "another metric")

    def score(self, truth: Ints, probs: Floats) -> float:
        """The score from true class numbers (N,) and probabilities (N, K); nan if undefined."""
        raise NotImplementedError

    def resampled(self, truth: Ints, probs: Floats, counts: Counts | None = None) -> Floats:
        """The score on each resample, (R,); item i occurs `counts[r, i]` times in resample r."""
        if counts is None:
            return np.array([self.score(truth, probs)], dtype=np.float64)
        items = np.arange(len(truth))
        rows = (np.repeat(items, count.astype(np.int64)) for count in counts)
        return np.array([self.score(truth[r], probs[r]) for r in rows], dtype=np.float64)


@dataclass(frozen=True)
class MetricFacts:
    """What is asked of a metric, whether it is the package's or a researcher's."""

    name: str
    score: Metric
    lower_is_better: bool = False
    limits: tuple[float, float] = (0.0, 1.0)  # smallest and largest possible score

    def of(self, truth: Ints, probs: Floats) -> float:
        """The score of probabilities (N, K) on true class numbers (N,); nan if undefined."""
        return float(self.score(truth, probs, None)[0]) if len(truth) else float("nan")


def metric_facts(metric: str | BaseMetric) -> MetricFacts:
    """Name, function, direction and limits of a metric.

    Raises:
        ConfigError: no metric has this name.
    """
    if isinstance(metric, BaseMetric):
        return MetricFacts(metric.kind, metric.resampled, metric.lower_is_better, metric.limits)
    limits = LIMITS.get(metric, (0.0, 1.0))
    return MetricFacts(metric, find_metric(metric), metric in LOWER_IS_BETTER, limits)
