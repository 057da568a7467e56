"""A metric from outside the package."""

from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from steelyard.evaluation.metrics import Counts
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
