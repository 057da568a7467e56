"""What metrics with settings have in common."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from steelyard.evaluation.base_metric import MetricFacts
from steelyard.evaluation.test_rows import TestRows
from steelyard.types.task_kinds import AnswerForm, refuse_kind


class TaskMetric(BaseModel, ABC):
    """Frozen settings of a metric that names a class, costs or groups of the task."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    """Forms of answers that it can score."""

    kind: str

    @property
    def name(self) -> str:
        """Name in tables and results; it differs where the settings do."""
        return self.kind

    def check_task(self, kind: str) -> None:
        """Raise ConfigError if it cannot score such a task."""
        what = f"`metric: {self.kind}` scores answers that are classes"
        refuse_kind(kind, self.answer_forms, what, "another metric")

    @abstractmethod
    def bind(self, rows: TestRows) -> MetricFacts:
        """The metric on these test rows.

        Raises:
            InputError: it is not defined on them; one line with the reason.
        """
