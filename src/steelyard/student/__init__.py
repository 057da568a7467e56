"""5. Questions and a Selection to a trained student. The ceiling is a student taught the truth."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.objectives import CROSS_ENTROPY, Objective
from steelyard.student.finetuned import Chooser, Classifier
from steelyard.student.language_model import LanguageModelStudent, TrainedLanguageModel
from steelyard.student.preference import PreferenceStudent, TrainedPreferenceStudent
from steelyard.student.probe import Probe, TrainedProbe

Student: TypeAlias = Annotated[
    Classifier | Chooser | Probe | LanguageModelStudent | PreferenceStudent,
    Field(discriminator="kind"),
]

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
    "Student",
]
