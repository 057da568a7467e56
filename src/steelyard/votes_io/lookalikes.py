"""Voters that are rather the truth, or the consensus of the others, than one more voter."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.types import ABSTAIN, Ints, Votes

ENOUGH = 30  # items from which equality on all of them is worth a sentence
SOME = 10  # items from which a voter's rate is known
CHANCE = 0.001
"""Probability, for all voters together, of a voter that is equal everywhere by chance."""


Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lookalike:
    """A voter that is equal to something on all items."""

    voter: str
    items: int


def check_lookalikes(votes: Votes, truth: Ints, name: str, *, refuses: bool) -> list[str]:
    """Notes on voters that may be the truth or a consensus.

    Raises:
        InputError: one equals the truth, if that is refused.
    """
    notes = []
    for entry in truth_lookalikes(votes, truth):
        text = (
            f"{entry.voter!r} equals the truth on all {entry.items:,} items that have both. Is it "
            "a copy of the truth? Leave it out with `without`; if it is a voter, list all voters "
            "with `voters`."
        )
        if refuses:
            raise InputError(f"{name}: voter {text}")
        notes.append(f"Voter {text}")
    for entry in consensus_lookalikes(votes):
        notes.append(
            f"Voter {entry.voter!r} equals the majority of the others on all {entry.items:,} items "
            "where they have one. Is it their consensus? Then leave it out with `without`."
        )
    return notes


def truth_lookalikes(votes: Votes, truth: Ints) -> list[Lookalike]:
    """Voters that are right on every one of at least 30 items, too many for the best other voter.

    A voter as good as the best of those who err would be right on all its n items with probability
    a^n, where a is that voter's accuracy with one right and one wrong answer added.

    Args:
        votes: M votes about N items.
        truth: (N,), negative where unknown.

    Returns:
        Those for whom a^n, times the number of voters, is below 0.001.
    """
    read = (votes.answer != ABSTAIN) & (truth[votes.example] >= 0)
    right = votes.answer == truth[votes.example]
    return _equal_everywhere(votes, right, read)


def consensus_lookalikes(votes: Votes) -> list[Lookalike]:
    """Voters that agree with the majority of the others on each of at least 30 items.

    Only items count where the majority of the others is one answer, of at least two of them. The
    test is that of `truth_lookalikes`. Voters with an identical twin are none: of twins and one
    more voter, each twin is the majority of the others.

    Args:
        votes: M votes, with one prompt variant.
    """
    if len(votes.queries) > 1 or len(votes.voters) < 3:
        return []
    read = np.flatnonzero(votes.answer != ABSTAIN)
    size = int(votes.answer.max(initial=0)) + 1
    cells, cell, count = np.unique(
        votes.example[read] * size + votes.answer[read], return_inverse=True, return_counts=True
    )
    item = cells // size
    order = np.lexsort((-count, item))
    first = np.append(True, item[order][1:] != item[order][:-1])
    best, second = np.zeros(len(votes.ids)), np.zeros(len(votes.ids))
    best[item[order][first]] = count[order][first]
    runner_up = np.append(False, first[:-1]) & ~first
    second[item[order][runner_up]] = count[order][runner_up]
    top = np.zeros(len(cells), dtype=bool)
    top[order[first]] = True
    is_top, row = top[cell], votes.example[read]
    support = count[cell] - 1  # others with the same answer
    rival = np.where(is_top, second[row], best[row])  # most others with another one
    tied = ~is_top & (second[row] == best[row]) & (count[cell] < best[row])
    agrees, counts = np.zeros(len(votes.answer), bool), np.zeros(len(votes.answer), bool)
    agrees[read] = support > rival
    counts[read] = (np.maximum(support, rival) >= 2) & (support != rival) & ~tied
    alike = _equal_everywhere(votes, agrees, counts)
    return [entry for entry in alike if not _has_twin(votes, votes.voters.index(entry.voter))]


def _equal_everywhere(votes: Votes, equal: Bools, counts: Bools) -> list[Lookalike]:
    voters = len(votes.voters)
    shared = np.bincount(votes.voter, weights=counts, minlength=voters)
    hits = np.bincount(votes.voter, weights=equal & counts, minlength=voters)
    others = (shared >= SOME) & (hits < shared)
    if not others.any():
        return []
    best = float(((hits + 1) / (shared + 2))[others].max())
    alike = (shared >= ENOUGH) & (hits == shared) & (best**shared * voters < CHANCE)
    return [Lookalike(votes.voters[v], int(shared[v])) for v in np.flatnonzero(alike)]


def _has_twin(votes: Votes, voter: int) -> bool:
    """Whether another voter gives the same answer wherever both answer, on at least 30 items."""
    answer = np.full(len(votes.ids), ABSTAIN, dtype=np.int64)
    by_voter = votes.voter == voter
    answer[votes.example[by_voter]] = votes.answer[by_voter]
    shared_votes = ~by_voter & (votes.answer != ABSTAIN) & (answer[votes.example] != ABSTAIN)
    same = shared_votes & (votes.answer == answer[votes.example])
    shared, equal = (
        np.bincount(votes.voter, weights=part, minlength=len(votes.voters))
        for part in (shared_votes, same)
    )
    return bool(((shared >= ENOUGH) & (shared == equal)).any())
