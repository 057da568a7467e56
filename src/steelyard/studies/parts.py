"""The parts of a study as its settings hold them: our own kinds, read from YAML by `kind`."""

from typing import TYPE_CHECKING, TypeAlias

from steelyard.reliability import Estimator, EstimatorSettings
from steelyard.selection import Selector, SelectorSettings
from steelyard.student import Student, StudentSettings
from steelyard.supervision import Supervisor, SupervisorSettings

if TYPE_CHECKING:
    AnyEstimator: TypeAlias = Estimator
    AnySelector: TypeAlias = Selector
    AnyStudent: TypeAlias = Student
    AnySupervisor: TypeAlias = Supervisor
else:
    AnyEstimator = EstimatorSettings
    AnySelector = SelectorSettings
    AnyStudent = StudentSettings
    AnySupervisor = SupervisorSettings
