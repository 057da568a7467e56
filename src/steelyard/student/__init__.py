"""5. Questions and a Selection to a trained student; the ceiling is trained on the truth."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias, get_args

from pydantic import Field

from steelyard.objectives import CROSS_ENTROPY, Objective
from steelyard.student.finetuned import Chooser, Classifier
from steelyard.student.language_model import LanguageModelStudent
from steelyard.student.preference import PreferenceStudent, TrainedPreferenceStudent
from steelyard.student.probe import Probe, TrainedProbe
from steelyard.student.protocol import (
    BaseStudent,
    BaseTrainedStudent,
    Student,
    TrainedModel,
    TrainingData,
    TrainingOptions,
    UntrainedStudent,
)
from steelyard.student.trained_language_model import TrainedLanguageModel

StudentSettings: TypeAlias = Annotated[
    Classifier | Chooser | Probe | LanguageModelStudent | PreferenceStudent,
    Field(discriminator="kind"),
]

STUDENTS: Mapping[str, type[BaseStudent]] = {
    cls.model_fields["kind"].default: cls for cls in get_args(get_args(StudentSettings)[0])
}
"""Every kind of student by its name."""

__all__ = [
    "CROSS_ENTROPY",
    "Chooser",
    "Classifier",
    "TrainedLanguageModel",
    "TrainedPreferenceStudent",
    "TrainedProbe",
    "LanguageModelStudent",
    "Objective",
    "PreferenceStudent",
    "Probe",
    "STUDENTS",
    "BaseStudent",
    "BaseTrainedStudent",
    "Student",
    "StudentSettings",
    "TrainedModel",
    "TrainingData",
    "TrainingOptions",
    "UntrainedStudent",
]
