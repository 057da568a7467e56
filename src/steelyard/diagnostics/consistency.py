"""How consistent a voter is: its answers to the same item, asked in several ways."""

from dataclasses import dataclass

import numpy as np

from steelyard.types import ABSTAIN, Ints, Votes
from steelyard.types.arrays import pairs_in_groups, tally

FEWEST_ITEMS = 30  # answered in two ways, below which nothing is said about a voter
CHANCE = 0.08  # correlation below which the ways agree hardly more than by chance
CONSTANT = 0.98  # share of one answer from which a voter says hardly anything about the items
BLOCK = 2**21  # pairs of votes in memory


@dataclass(frozen=True)
class Consistency:
    """The answers of one voter to the same items, asked in several ways."""

    voter: str
    queries: int  # ways in which it was asked
    items: int  # answered in two ways or more
    agreement: float  # share of equal answers among pairs of ways, in [0, 1]
    chance: float  # the same if each way gave its answers to random items
    correlation: float | None  # (agreement - chance) / (1 - chance); None if chance is 1, or open
    commonest: str | None  # name of its commonest answer; None of open answers
    share: float  # of that answer, in [0, 1]; 0 of open answers

    @property
    def follows_the_question(self) -> bool:
        """Whether its answers follow the way of asking, not the item."""
        return (
            self.items >= FEWEST_ITEMS
            and self.correlation is not None
            and self.correlation < CHANCE
        )

    @property
    def constant(self) -> bool:
        """Whether it gives one answer whatever the item."""
        return self.items >= FEWEST_ITEMS and self.share >= CONSTANT


def consistency(votes: Votes) -> tuple[Consistency, ...]:
    """Agreement of each voter with itself over prompt variants, for voters with two or more.

    That a voter repeats itself does not make it right, and that it does not makes it unreliable.
    The chance agreement of two ways q, r is sum_k p_q(k) p_r(k) with the shares of the answers of
    each; means are over the pairs of answers to the same item.

    Args:
        votes: with the prompt variant of each in `query`.

    Returns:
        In the order of `votes.voters`.

    Source: Cohen 1960, "A Coefficient of Agreement for Nominal Scales" (kappa, here of one voter
        with itself).
    """
    if len(votes.queries) < 2:
        return ()
    rows = np.flatnonzero(votes.answer != ABSTAIN)
    rows = rows[np.lexsort((votes.example[rows], votes.voter[rows]))]
    starts = np.flatnonzero(np.diff(votes.voter[rows], prepend=-1))
    entries = [_of_voter(votes, part) for part in np.split(rows, starts[1:]) if len(part)]
    return tuple(entry for entry in entries if entry is not None)


def _of_voter(votes: Votes, rows: Ints) -> Consistency | None:
    """From the votes of one voter, by item; None if no item was asked in two ways."""
    k, example, answer = votes.num_classes, votes.example[rows], votes.answer[rows]
    used, way = np.unique(votes.query[rows], return_inverse=True)
    shares = tally(way * k + answer, len(used) * k).reshape(len(used), k)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    pairs, equal, chance = 0, 0, 0.0
    compared = np.zeros(len(votes.ids), dtype=bool)
    for left, right in pairs_in_groups(example, BLOCK):
        other = way[left] != way[right]
        left, right = left[other], right[other]
        pairs += len(left)
        equal += int((answer[left] == answer[right]).sum())
        chance += float((shares[way[left]] * shares[way[right]]).sum())
        compared[example[left]] = True
    if not pairs:
        return None
    total = tally(answer, k)
    agreement, by_chance = equal / pairs, chance / pairs
    is_open = bool(votes.candidate_texts)
    correlation = None
    if not is_open and by_chance < 1 - 1e-9:
        correlation = (agreement - by_chance) / (1 - by_chance)
    return Consistency(
        voter=votes.voters[votes.voter[rows[0]]],
        queries=len(used),
        items=int(compared.sum()),
        agreement=agreement,
        chance=by_chance,
        correlation=correlation,
        commonest=None if is_open else votes.class_names[int(total.argmax())],
        share=0.0 if is_open else float(total.max() / total.sum()),
    )
