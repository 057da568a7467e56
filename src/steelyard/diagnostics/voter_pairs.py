"""Two voters side by side: how often they agree, Cohen's kappa, and their answers as a table."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from steelyard.diagnostics.agreement import Scale, positions
from steelyard.diagnostics.leave_one_out import voter_labels
from steelyard.diagnostics.resampling import Resamples, percentile_interval, ratio, sampled_items
from steelyard.types import ABSTAIN, Floats, Interval, Ints, Votes

MOST_VOTERS = 12
MOST_CLASSES = 20


@dataclass(frozen=True)
class VoterPair:
    """Two voters on the items that both answered."""

    left: str
    right: str
    items: int  # answered by both, of those used
    agree: Interval | None  # share with the same answer
    kappa: Interval | None  # Cohen's, weighted on a scale
    counts: tuple[tuple[int, ...], ...]  # (K, K), items by left's and right's answer


@dataclass(frozen=True)
class VoterPairs:
    """The pairs among the voters with most votes."""

    voters: tuple[str, ...]
    cohen: Interval | None  # mean of the pairs' kappas
    pairs: tuple[VoterPair, ...]


def voter_pairs(
    votes: Votes, scale: Scale = "nominal", *, most: int = MOST_VOTERS, resamples: int = 1000
) -> VoterPairs | None:
    """Agreement of each pair of voters, at most `most` of them, with 95 % bootstrap intervals.

    With O_kl the share of the common items where the first voter answers k and the second l,

        kappa = 1 - sum_kl w_kl O_kl / sum_kl w_kl O_k. O_.l

    w_kl is 1 for different answers and 0 for equal ones; on a scale it is the squared distance of
    the classes (ordinal: of their numbers 0, 1, ...). The mean of the kappas is Light's.

    Returns:
        None for open answers, and for fewer than two or more than 20 classes.

    Source: Cohen 1960, doi:10.1177/001316446002000104; Cohen 1968, doi:10.1037/h0026256 (weights);
        Light 1971, doi:10.1037/h0031643 (mean over pairs).
    """
    k = votes.num_classes
    if votes.candidate_texts or not 2 <= k <= MOST_CLASSES or len(votes.voters) < 2:
        return None
    table = answer_table(votes, most)
    rows = sampled_items(np.flatnonzero((table.answer != ABSTAIN).sum(axis=1) >= 2))
    answer = table.answer[rows]
    draws = Resamples.draw(len(rows), resamples)
    weights = disagreement(votes.class_names, scale)
    pairs, kappas = [], []
    for left, right in combinations(range(len(table.voters)), 2):
        counts = _joint(answer[:, left], answer[:, right], k, draws)
        if counts[0].sum() == 0:
            continue
        kappa = cohen(counts, weights)
        kappas.append(kappa)
        pairs.append(
            VoterPair(
                left=votes.voters[table.voters[left]],
                right=votes.voters[table.voters[right]],
                items=int(counts[0].sum()),
                agree=percentile_interval(_agree(counts)),
                kappa=percentile_interval(kappa),
                counts=tuple(tuple(int(n) for n in row) for row in counts[0]),
            )
        )
    mean = _mean(kappas, len(draws.weight))
    names = tuple(votes.voters[v] for v in table.voters)
    return VoterPairs(names, percentile_interval(mean), tuple(pairs))


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """One answer of each of some voters to each item; ABSTAIN where there is none."""

    voters: Ints  # (V',), numbers of the voters with most answers, ascending
    answer: Ints  # (N, V')


def answer_table(votes: Votes, most: int = MOST_VOTERS) -> AnswerTable:
    """The answers of the `most` voters with most answers, one for each item."""
    labels = voter_labels(votes)
    busiest = np.sort(np.argsort(-labels.per_voter, kind="stable")[:most])
    busiest = busiest[labels.per_voter[busiest] > 0]
    place = np.full(max(1, len(votes.voters)), -1)
    place[busiest] = np.arange(len(busiest))
    column = place[labels.voter]
    answer = np.full((len(votes.ids), len(busiest)), ABSTAIN, dtype=np.int64)
    taken = column >= 0
    answer[labels.example[taken], column[taken]] = labels.answer[taken]
    return AnswerTable(busiest, answer)


def disagreement(names: tuple[str, ...], scale: Scale) -> Floats:
    """Weights (K, K) of Cohen's kappa: 0 on the diagonal."""
    if scale == "nominal":
        return 1 - np.eye(len(names))
    place = np.arange(len(names), dtype=float)
    if scale == "interval":
        place = positions(names, place, scale)
    square: Floats = (place[:, None] - place) ** 2
    return square


def cohen(counts: Floats, weights: Floats) -> Floats:
    """Cohen's kappa of tables of counts (R, K, K); nan where it is undefined."""
    total = counts.sum(axis=(1, 2))
    by_chance = np.einsum("rk,rl,kl->r", counts.sum(axis=2), counts.sum(axis=1), weights)
    return 1 - ratio((counts * weights).sum(axis=(1, 2)) * total, by_chance)


def _agree(counts: Floats) -> Floats:
    return ratio(np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2)))


def _joint(left: Ints, right: Ints, k: int, draws: Resamples) -> Floats:
    """Tables of counts of two voters' answers, (1 + R, K, K)."""
    from scipy.sparse import csr_array

    shared = np.flatnonzero((left != ABSTAIN) & (right != ABSTAIN))
    cell = shared, left[shared] * k + right[shared]
    cells = csr_array((np.ones(len(shared)), cell), shape=(len(left), k * k))
    return draws.sums(cells).reshape(-1, k, k)


def _mean(values: list[Floats], size: int) -> Floats:
    """Mean of the defined values of each resample, (size,)."""
    if not values:
        return np.full(size, np.nan)
    rows = np.array(values)
    return ratio(np.nansum(rows, axis=0), np.isfinite(rows).sum(axis=0).astype(float))
