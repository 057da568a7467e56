"""How many independent voters the voters are worth: the correlation of their errors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steelyard.diagnostics.leave_one_out import VoterLabels, voter_labels
from steelyard.types import ABSTAIN, Floats, Interval, Ints, Reliability, Votes

GROUPS = 20
"""Groups of items that the jackknife leaves out."""
MOST_VOTERS = 500
_FEWEST = 20  # items with two voters


@dataclass(frozen=True)
class EffectiveVoters:
    """The number of independent voters that carry as much evidence as the voters of an item."""

    voters_per_item: float  # k, mean over items with at least two answers
    effective: Interval  # in [1, k]
    correlation: Interval  # of the errors of two voters of an item
    items: int
    judged_by: str  # "truth", or "labels": the posterior of the method


def effective_voters(
    votes: Votes, reliability: Reliability, truth: Ints | None = None
) -> EffectiveVoters | None:
    """Effective number of voters, from the mean correlation of their errors.

    >>> import steelyard as sy
    >>> rows = [{"id": str(i), "a": i % 2, "b": i % 2, "c": i % 3 % 2} for i in range(60)]
    >>> result = sy.weigh(rows, ["majority"])
    >>> truth = np.zeros(60, dtype=np.int64)
    >>> found = effective_voters(result.votes, result.reliabilities["majority"], truth)
    >>> round(found.effective.value, 1)
    1.8

    With e_v = 1 where voter v is wrong, over the items that v and w both answered,

        rho = sum_vw cov(e_v, e_w) / sum_vw sqrt(var(e_v) var(e_w)),   weighted by common items
        effective = k / (1 + (k - 1) max(rho, 0)),                       k voters on each item

    Errors are counted on the items of known truth if at least 20 of these have two answers; else
    their expected products under the posterior are taken. Then errors that nearly all voters
    share are invisible, and the number is too high. The 95 % interval is a jackknife over 20
    groups of items. Of more than 500 voters, those with most answers are compared.

    Args:
        votes: of at least two voters.
        reliability: of the same items.
        truth: (N,), true answers, ABSTAIN where unknown.

    Returns:
        None where fewer than 20 items have answers of two voters, or no voter ever errs.

    Source: Kish 1965, "Survey Sampling" (design effect); Efron and Stein 1981,
        doi:10.1214/aos/1176345462 (jackknife).
    """
    labels = voter_labels(votes)
    number = np.bincount(labels.example, minlength=len(votes.ids))
    posterior, judged_by = reliability.posterior, "labels"
    usable = number >= 2
    if truth is not None and (usable & (truth != ABSTAIN)).sum() >= _FEWEST:
        usable, judged_by = usable & (truth != ABSTAIN), "truth"
        posterior = np.zeros_like(posterior)
        rows = np.flatnonzero(truth >= 0)
        posterior[rows, truth[rows]] = 1.0
    items = np.flatnonzero(usable)
    if len(items) < _FEWEST:
        return None
    group = np.full(len(votes.ids), -1)
    group[np.random.default_rng(0).permutation(items)] = np.arange(len(items)) % GROUPS
    k = float(number[items].mean())
    sums = np.array([_pair_sums(labels, posterior, group == g) for g in range(GROUPS)])
    whole = sums.sum(axis=0)
    correlation = _correlation(whole)
    without = np.array([_correlation(whole - part) for part in sums])
    if not np.isfinite([correlation, *without]).all():
        return None
    half = 1.96 * float(np.sqrt((GROUPS - 1) * without.var()))
    low, high = max(correlation - half, -1.0), min(correlation + half, 1.0)
    return EffectiveVoters(
        voters_per_item=k,
        effective=Interval(*(_effective(k, rho) for rho in (correlation, high, low))),
        correlation=Interval(correlation, low, high),
        items=len(items),
        judged_by=judged_by,
    )


def _effective(k: float, correlation: float) -> float:
    return k / (1 + (k - 1) * max(correlation, 0.0))


def _pair_sums(labels: VoterLabels, posterior: Floats, items: npt.NDArray[np.bool_]) -> Floats:
    """Sums over some items for each pair of voters, (3, V, V): both answered; w wrong; both wrong.

    [1, v, w] counts the errors of v on the items that w answered too.
    """
    from scipy.sparse import csr_array

    busiest = np.argsort(-labels.per_voter, kind="stable")[:MOST_VOTERS]
    column = np.full(labels.voters, -1)
    column[busiest] = np.arange(len(busiest))
    taken = np.flatnonzero(items[labels.example] & (column[labels.voter] >= 0))
    example, answer = labels.example[taken], labels.answer[taken]
    voter = column[labels.voter[taken]]
    k, size = posterior.shape[1], len(busiest)
    right = posterior[example, answer]
    n = len(labels.candidates)
    answered = csr_array((np.ones(len(taken)), (example, voter)), shape=(n, size))
    correct = csr_array((right, (example, voter)), shape=(n, size))
    cell = example * k + answer
    same = csr_array((np.ones(len(taken)), (cell, voter)), shape=(n * k, size))
    same_right = csr_array((right, (cell, voter)), shape=(n * k, size))
    number = (answered.T @ answered).toarray()
    hits = (correct.T @ answered).toarray()
    both_wrong = number - hits - hits.T + (same.T @ same_right).toarray()
    return np.stack([number, number - hits, both_wrong])


def _correlation(sums: Floats) -> float:
    """Pooled correlation of the errors of different voters; nan where nobody errs."""
    number, wrong, both_wrong = sums
    number = np.where(number >= 2, number, 0.0)
    np.fill_diagonal(number, 0.0)
    safe = np.maximum(number, 1.0)
    share, other = wrong / safe, wrong.T / safe
    covariance = both_wrong / safe - share * other
    spread = np.sqrt((share * (1 - share)).clip(0) * (other * (1 - other)).clip(0))
    total = float((number * spread).sum())
    return float((number * covariance).sum() / total) if total > 1e-12 else float("nan")
