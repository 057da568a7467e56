"""Voters who agree more than one hidden truth explains: copies, families of models, rival groups.

The test needs no model of voters, no truth and no third voter who judges two others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.types.arrays import pairs_in_groups, tally

FEWEST_ITEMS = 30  # items that both voters of a pair must have answered
FEWEST_VOTERS = 4  # with three, one truth explains any agreement
NEAR_IDENTICAL = 0.98  # share of equal answers from which two voters are taken for one
COPY_CORRELATION, COPY_SURPLUS = 0.85, 0.25  # from which a dependent pair shares one vote
SURPLUS, STANDARD_ERRORS = 0.2, 4.0  # from which a pair is dependent
CHANCE = 0.08  # mean correlation below which votes hold hardly any information
MODEL_ERROR = 0.05  # of correlations: what one truth leaves unexplained among honest voters
MOST_EVENTS = 20_000_000  # pairs of votes that are compared; if there are more, items are sampled
BLOCK = 2**21  # pairs of votes in memory
STEPS = 300  # of the fit of the loadings


@dataclass(frozen=True)
class DependentPair:
    """Two voters who agree more than one truth explains."""

    left: int  # numbers of the voters
    right: int
    items: int  # answered by both
    agreement: float  # share of these with equal answers, in [0, 1]
    correlation: float  # agreement above chance, 1 for equal answers
    expected: float  # correlation that their agreement with the other voters explains
    copies: bool  # whether they are taken for one voter


@dataclass(frozen=True, eq=False)
class Dependence:
    """Which voters depend on each other."""

    pairs: tuple[DependentPair, ...]
    families: tuple[tuple[int, ...], ...]  # copies: each family has one vote
    groups: tuple[tuple[int, ...], ...]  # voters that agree with each other, but are no copies
    tested: bool  # False: too few voters or shared items; only near-identical voters are found
    mean_correlation: float | None  # of all pairs, weighted by items; None below 30 items

    @property
    def near_chance(self) -> bool:
        """Whether voters agree hardly more than independent random answers would."""
        return self.mean_correlation is not None and self.mean_correlation < CHANCE


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Agreement of each pair of voters with enough shared items, P pairs."""

    left: Ints
    right: Ints
    items: Ints
    agreement: Floats
    correlation: Floats
    error: Floats  # standard error of the correlation


def find_dependence(votes: Votes) -> Dependence:
    """Find pairs of voters who agree more than their agreement with the others explains.

    For voters u, v and the items that both answered, with p_u the shares of u's answers, the
    correlation is

        r_uv = mean(1[a_u = a_v] - p_v(a_u) - p_u(a_v) + sum_k p_u(k) p_v(k)) / sqrt(s_u s_v)
        s_u = 1 - sum_k p_u(k)^2

    If voters err independently given the truth, and errors are spread evenly, r_uv = l_u l_v with
    one loading l for each voter, whatever the skills (for two classes this is the tetrad
    condition r_uv r_wx = r_uw r_vx). Loadings are fitted by least squares with weights that fall
    with the residual, so that a few dependent pairs do not move them. A pair is dependent if r_uv
    exceeds l_u l_v by more than 0.2 and by more than 4 standard errors. It is a copy if r_uv is
    0.85 or more and exceeds l_u l_v by 0.25; or, by a plain rule that holds from two voters on, if
    98 % of 30 or more answers are equal and the pair agrees more than the median pair does (r_uv
    by 0.1). Pairs are joined to families of copies, and to groups of other dependent voters, whose
    members are all dependent on one another.

    It cannot find: dependence among three voters unless they are nearly identical; a clique that
    is most of the voters, who then are the yardstick (the honest rest may be found as the group);
    voters who nearly always give one answer. Open answers, which have no shared classes, are
    compared by the plain rule only.

    Source: Spearman 1904, "General Intelligence, Objectively Determined and Measured" (one factor,
        tetrads); Jaffe et al. 2016, "Unsupervised Ensemble Learning with Dependent Classifiers"
        (the same for classifiers). The chance correction, the robust fit and the limits are ours,
        chosen on simulated voters and the `crowd_*` sets of the benchmarks.
    """
    pairs, mean = _pairs(votes)
    if not len(pairs.left):
        return Dependence((), (), (), False, mean)
    size = len(votes.voters)
    tested = not votes.candidate_texts and _degrees(pairs, size) >= FEWEST_VOTERS
    expected = _explained(pairs, size) if tested else pairs.correlation.copy()
    surplus = pairs.correlation - expected
    dependent = (surplus > SURPLUS) & (surplus > STANDARD_ERRORS * pairs.error)
    others = np.median(pairs.correlation) if len(pairs.left) > 1 else -1.0
    near = (pairs.agreement >= NEAR_IDENTICAL) & (pairs.correlation >= others + 0.1)
    near &= pairs.correlation >= 0.9
    copies = near | (
        dependent & (pairs.correlation >= COPY_CORRELATION) & (surplus >= COPY_SURPLUS)
    )
    rows = np.flatnonzero(dependent | copies)
    chosen = rows[np.argsort(-pairs.correlation[rows], kind="stable")].tolist()
    families = _joined(pairs, [p for p in chosen if copies[p]])
    inside = {voter for family in families for voter in family}
    loose = [p for p in chosen if not {int(pairs.left[p]), int(pairs.right[p])} <= inside]
    return Dependence(
        tuple(_described(pairs, p, float(expected[p]), bool(copies[p])) for p in chosen),
        families,
        _joined(pairs, [p for p in loose if not copies[p]]),
        tested,
        mean,
    )


def merge_families(votes: Votes, families: Sequence[Sequence[int]]) -> tuple[Votes, Ints]:
    """Votes in which each family is one voter, and the new number of each voter, (V,).

    A family answers an item as most of its members do, and abstains if two answers have most votes;
    where votes have probabilities, its distribution is the mean of theirs. It takes the name of its
    first member. All prompt variants of a member count.
    """
    size = len(votes.voters)
    first = np.arange(size)
    for family in families:
        first[list(family)] = min(family)
    kept, number = np.unique(first, return_inverse=True)
    if len(kept) == size:
        return votes, first
    members = np.isin(votes.voter, [voter for family in families for voter in family])
    rows = np.flatnonzero(members & (votes.answer != ABSTAIN))
    key, cell = np.unique(
        votes.example[rows] * size + first[votes.voter[rows]], return_inverse=True
    )
    k = votes.num_classes
    counts = tally(cell * k + votes.answer[rows], len(key) * k).reshape(len(key), k)
    tied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1
    alone = votes.take(np.flatnonzero(~members))
    example = np.concatenate([alone.example, key // size])
    order = np.argsort(example, kind="stable")
    probs = None
    if alone.probs is not None:
        sums = np.zeros((len(key), k))
        np.add.at(sums, cell, votes.distributions[rows])
        probs = np.concatenate([alone.probs, sums / counts.sum(axis=1, keepdims=True)])[order]
    answer = np.concatenate([alone.answer, np.where(tied, ABSTAIN, counts.argmax(axis=1))])
    merged = Votes(
        ids=votes.ids,
        voters=tuple(votes.voters[v] for v in kept),
        queries=votes.queries,
        example=example[order],
        voter=number[np.concatenate([alone.voter, key % size])[order]],
        query=np.concatenate([alone.query, np.zeros(len(key), dtype=np.int64)])[order],
        answer=answer[order],
        candidates=votes.candidates,
        probs=probs,
        classes=votes.classes,
        candidate_texts=votes.candidate_texts,
    )
    return merged, number


def _pairs(votes: Votes) -> tuple[_Pairs, float | None]:
    """Pairs with enough shared items, and the mean correlation of all pairs (None of few items)."""
    example, voter, answer = _first_votes(votes)
    compared = (np.bincount(example) > 1).sum()
    size, k = len(votes.voters), votes.num_classes
    shares = tally(voter * k + answer, size * k).reshape(size, k)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    overlap = shares @ shares.T if size <= 2000 else None
    keys, sums = [], []
    for left, right in pairs_in_groups(example, BLOCK):
        u, v, a, b = voter[left], voter[right], answer[left], answer[right]
        chance = overlap[u, v] if overlap is not None else (shares[u] * shares[v]).sum(axis=1)
        equal = a == b
        value = equal - shares[v, a] - shares[u, b] + chance
        key, row = np.unique(np.minimum(u, v) * size + np.maximum(u, v), return_inverse=True)
        keys.append(key)
        columns = (np.ones(len(row)), equal, value, value**2)
        sums.append(np.stack([np.bincount(row, column, len(key)) for column in columns]))
    if not keys:
        return _Pairs(*(np.zeros(0, dtype=t) for t in (int, int, int, *[float] * 3))), None
    key, row = np.unique(np.concatenate(keys), return_inverse=True)
    items, equal, total, squares = (
        np.bincount(row, column, len(key)) for column in np.concatenate(sums, axis=1)
    )
    u, v = key // size, key % size
    spread = np.sqrt((1 - (shares[u] ** 2).sum(axis=1)) * (1 - (shares[v] ** 2).sum(axis=1)))
    varied = spread > MODEL_ERROR
    size_of_all = (spread * items)[varied].sum()
    mean_of_all = float(total[varied].sum() / size_of_all) if size_of_all else None
    usable = (items >= FEWEST_ITEMS) & varied
    u, v, items, equal, total, squares, spread = (
        values[usable] for values in (u, v, items, equal, total, squares, spread)
    )
    mean = total / items
    error = np.sqrt(np.maximum(squares / items - mean**2, 0) / items)
    agreement = equal / items
    correlation = agreement if votes.candidate_texts else mean / spread
    error = np.maximum(error, 0.5 / items) / spread
    pairs = _Pairs(u, v, items.astype(np.int64), agreement, correlation, error)
    few = votes.candidate_texts or compared < FEWEST_ITEMS
    return pairs, None if few else mean_of_all


def _first_votes(votes: Votes) -> tuple[Ints, Ints, Ints]:
    """Item, voter and answer of the first readable vote of each voter on each item, by item."""
    rows = np.flatnonzero(votes.answer != ABSTAIN)
    key = votes.example[rows] * len(votes.voters) + votes.voter[rows]
    _, first = np.unique(key, return_index=True)
    rows = rows[first]
    size = np.bincount(votes.example[rows], minlength=len(votes.ids)).astype(np.float64)
    events = float((size * (size - 1)).sum()) / 2
    if events > MOST_EVENTS:
        rows = rows[votes.example[rows] % int(np.ceil(events / MOST_EVENTS)) == 0]
    return votes.example[rows], votes.voter[rows], votes.answer[rows]


def _degrees(pairs: _Pairs, size: int) -> int:
    """Number of voters that share enough items with three others or more."""
    partners = np.bincount(pairs.left, minlength=size) + np.bincount(pairs.right, minlength=size)
    return int((partners >= FEWEST_VOTERS - 1).sum())


def _explained(pairs: _Pairs, size: int) -> Floats:
    """The product of the loadings of each pair, (P,), fitted robustly."""
    u, v, r = pairs.left, pairs.right, pairs.correlation
    scale = np.sqrt(pairs.error**2 + MODEL_ERROR**2)
    loading = np.full(size, 0.6)
    for _ in range(STEPS):
        distance = np.abs(r - loading[u] * loading[v]) / scale
        weight = 1 / (np.maximum(1, distance) ** 1.5 * scale**2)
        top = tally(u, size, weight * r * loading[v]) + tally(v, size, weight * r * loading[u])
        below = tally(u, size, weight * loading[v] ** 2) + tally(v, size, weight * loading[u] ** 2)
        best = np.divide(top, below, out=loading.copy(), where=below > 1e-12)
        step = np.clip((loading + best) / 2, -1, 1)
        if np.abs(step - loading).max() < 1e-9:
            break
        loading = step
    return np.asarray(loading[u] * loading[v])


def _joined(pairs: _Pairs, chosen: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Sets of voters of which every two are a chosen pair, grown from the first pairs on."""
    linked = {frozenset((int(pairs.left[p]), int(pairs.right[p]))) for p in chosen}
    sets: dict[int, frozenset[int]] = {}
    for p in chosen:
        left, right = (
            sets.get(int(voter), frozenset([int(voter)]))
            for voter in (pairs.left[p], pairs.right[p])
        )
        if left != right and all(frozenset(two) in linked for two in product(left, right)):
            sets |= dict.fromkeys(left | right, left | right)
    return tuple(sorted(tuple(sorted(members)) for members in set(sets.values())))


def _described(pairs: _Pairs, p: int, expected: float, copies: bool) -> DependentPair:
    return DependentPair(
        int(pairs.left[p]),
        int(pairs.right[p]),
        int(pairs.items[p]),
        float(pairs.agreement[p]),
        float(pairs.correlation[p]),
        expected,
        copies,
    )
