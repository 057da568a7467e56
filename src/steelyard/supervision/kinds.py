"""Every kind of weak supervisor, and their union for settings."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.supervision.api import Api
from steelyard.supervision.finetuned import ChooserVoters, ClassifierVoters
from steelyard.supervision.language_model import LanguageModelVoters
from steelyard.supervision.preference import PreferenceVoters
from steelyard.supervision.tfidf import Tfidf
from steelyard.supervision.votes_file import VotesFile

SupervisorSettings: TypeAlias = Annotated[
    Tfidf
    | ClassifierVoters
    | ChooserVoters
    | PreferenceVoters
    | LanguageModelVoters
    | VotesFile
    | Api,
    Field(discriminator="kind"),
]

__all__ = [
    "Api",
    "ChooserVoters",
    "ClassifierVoters",
    "LanguageModelVoters",
    "PreferenceVoters",
    "SupervisorSettings",
    "Tfidf",
    "VotesFile",
]
