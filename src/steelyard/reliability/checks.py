"""Shared by estimators: the score of a posterior, an order of classes, refused votes."""

import numpy as np

from steelyard.errors import InputError
from steelyard.reliability.vote_table import CELLS
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, VoterSkill, Votes


def reliability_of(
    votes: Votes, posterior: Floats, gold: Ints | None, skill: VoterSkill
) -> Reliability:
    """Score = the largest probability; 0 without a readable vote and without a trusted answer."""
    answered = votes.answered if gold is None else votes.answered | (gold != ABSTAIN)
    score = np.where(answered, np.clip(posterior.max(axis=1, initial=0), 0, 1), 0.0)
    return Reliability(votes.ids, posterior, score, skill)


def by_first(column: Ints) -> Ints:
    """The distinct numbers of a column in the order they first occur."""
    values, first = np.unique(column, return_index=True)
    return values[np.argsort(first)]


def refuse_open(votes: Votes, kind: str, instead: str) -> None:
    """Raise InputError for open answers, where each example has its own candidates."""
    if votes.candidate_texts:
        raise InputError(
            f"`{kind}` needs one list of classes for all examples, and these answers are open; "
            f"use {instead}."
        )


def refuse_many(votes: Votes, kind: str, instead: str) -> None:
    """Raise InputError if the confusion matrices would have more than four times CELLS."""
    cells = len(votes.voters) * votes.num_classes**2
    if cells > 4 * CELLS:
        raise InputError(
            f"`{kind}` has a confusion matrix for each voter: {len(votes.voters):,} voters and "
            f"{votes.num_classes:,} classes make {cells:,} cells, more than {4 * CELLS:,}; use "
            f"{instead}."
        )
