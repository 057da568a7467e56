"""2. Questions to Votes: weak supervisors are trained and asked."""

from typing import Annotated, TypeAlias

from pydantic import Field

from steelyard.supervision.finetuned import ChooserVoters, ClassifierVoters
from steelyard.supervision.tfidf import Tfidf
from steelyard.supervision.votes_file import VotesFile

Supervisor: TypeAlias = Annotated[
    Tfidf | ClassifierVoters | ChooserVoters | VotesFile, Field(discriminator="kind")
]

__all__ = ["ChooserVoters", "ClassifierVoters", "Supervisor", "Tfidf", "VotesFile"]
