"""5. Questions and a Selection to a trained student. The ceiling is a student taught the truth."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.objectives import CROSS_ENTROPY, Objective
from steelyard.student.finetuned import Chooser, Classifier
from steelyard.student.language_model import FittedLanguageModel, LanguageModel
from steelyard.student.preference import FittedPreference, Preference
from steelyard.student.probe import FittedProbe, Probe

Student: TypeAlias = Annotated[
    Classifier | Chooser | Probe | LanguageModel | Preference, Field(discriminator="kind")
]

__all__ = [
    "CROSS_ENTROPY",
    "Chooser",
    "Classifier",
    "FittedLanguageModel",
    "FittedPreference",
    "FittedProbe",
    "LanguageModel",
    "Objective",
    "Preference",
    "Probe",
    "Student",
]
