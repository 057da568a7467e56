"""Every kind of weak supervisor, and their union for settings."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.supervision.api import Api as Api
from steelyard.supervision.finetuned import ChooserVoters as ChooserVoters
from steelyard.supervision.finetuned import ClassifierVoters as ClassifierVoters
from steelyard.supervision.language_model import LanguageModelVoters as LanguageModelVoters
from steelyard.supervision.preference import PreferenceVoters as PreferenceVoters
from steelyard.supervision.tfidf import Tfidf as Tfidf
from steelyard.supervision.votes_file import VotesFile as VotesFile

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
