"""Abstentions as answers: where each voter saw each item, whether it answers says something too."""

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from steelyard.reliability.vote_table import MIN_PROBABILITY, VoteTable, shared_classes
from steelyard.types import ABSTAIN, Floats
from steelyard.types.arrays import tally

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Abstentions: TypeAlias = Literal["auto", "answer", "ignore"]
"""`answer`: a voter without a readable vote on an item saw it and abstained, which is evidence.
`ignore`: such votes are missing at random. `auto`: the first where the votes show that each voter
saw each item, or where voters are labelling functions; else the second."""

LABELLING_FUNCTIONS = 0.5
"""Voters are labelling functions if the answers of one voter differ less often than this share of
how often the answers of all voters differ."""


def abstentions_are_answers(table: VoteTable, setting: Abstentions) -> bool:
    """Whether a model of these votes has abstentions; never without common classes."""
    if setting == "ignore" or not shared_classes(table.votes):
        return False
    return setting == "answer" or all_asked(table) or are_labelling_functions(table)


def all_asked(table: VoteTable) -> bool:
    """Whether the file has one row for each voter and item, of which some abstain."""
    votes = table.votes
    n, v, _ = table.shape
    if len(votes.example) != n * v or not (votes.answer == ABSTAIN).any():
        return False
    return len(np.unique(votes.example * max(v, 1) + votes.voter)) == n * v


def are_labelling_functions(table: VoteTable) -> bool:
    """Whether each voter (nearly) always gives the same answer; true without votes."""
    _, v, k = table.shape
    if not len(table.weight):
        return True
    cell = table.voter * k + table.answer
    given = tally(cell, v * k, table.weight).reshape(v, k)[table.voter_weight > 1]
    size = given.sum(axis=1)
    spread_within = (size - (given**2).sum(axis=1) / size) * size / (size - 1)
    total = given.sum(axis=0)
    spread = 1 - ((total / max(total.sum(), 1)) ** 2).sum()
    return bool(spread_within.sum() <= LABELLING_FUNCTIONS * spread * size.sum())


def answered_mass(table: VoteTable, posterior: Floats) -> Floats:
    """Expected number of items of each class with at least one vote, (K,)."""
    mass: Floats = table.answered @ posterior
    return mass


def answer_rates(table: VoteTable, posterior: Floats, smoothing: float) -> Floats:
    """P(voter v answers | truth is k), (V, K), strictly between 0 and 1."""
    smoothing = max(smoothing, MIN_PROBABILITY)
    answered = table.counts(posterior).sum(axis=1)
    rate = (answered + smoothing) / (answered_mass(table, posterior) + 2 * smoothing)
    clipped: Floats = np.clip(rate, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return clipped


def answer_logits(voted: "csr_array", rates: Floats) -> Floats:
    """ln P(who answers | truth), (N, K), from `voted` (N, V), 1 where a voter answers.

    Of all voters' silence, with a correction for each vote: the votes stay sparse.
    """
    silence = np.log1p(-rates)
    corrections: Floats = voted @ (np.log(rates) - silence)
    logits: Floats = corrections + silence.sum(axis=0)
    return logits


def voted(table: VoteTable) -> "csr_array":
    """1 where a voter answers an item, (N, V); twice if it answers twice."""
    from scipy.sparse import csr_array

    n, v, _ = table.shape
    return csr_array((np.ones(len(table.example)), (table.example, table.voter)), shape=(n, v))
