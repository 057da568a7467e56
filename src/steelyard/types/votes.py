"""What the weak supervisors said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.types.arrays import Floats, Ints, check_rows
from steelyard.types.words import WordProbabilities

ABSTAIN = -1
"""The answer of a voter that names no class: unreadable, refused, or not given."""


@dataclass(frozen=True, eq=False)
class Votes:
    """What the weak supervisors said: one flat, sparse table, sorted by example.

    Vote m was cast by `voters[voter[m]]` on `ids[example[m]]`, asked as `queries[query[m]]`
    (which wording, option order, sample, seed). Its answer is a candidate number below
    `candidates[example[m]]`, or ABSTAIN. Closed tasks share the names `classes`; open tasks have
    their own candidate texts for each example.
    """

    ids: tuple[str, ...]  # N
    voters: tuple[str, ...]  # V
    queries: tuple[str, ...]
    example: Ints  # (M,), ascending
    voter: Ints  # (M,)
    query: Ints  # (M,)
    answer: Ints  # (M,), candidate numbers or ABSTAIN
    candidates: Ints  # (N,), number of possible answers
    classes: tuple[str, ...] = ()  # names, the same for every example; empty for open answers
    probs: Floats | None = None  # (M, K), rows sum to 1; 0 beyond an example's candidates
    texts: tuple[str, ...] = ()  # (M,) raw answers, or none kept
    candidate_texts: tuple[tuple[str, ...], ...] = ()  # (N,) of open answers
    reasons: tuple[str, ...] = ()  # (M,) why a vote abstains, else ""; or none
    word_probs: WordProbabilities | None = (
        None  # of each vote's candidates in turn, (sum of candidates[example])
    )
    entropy: Floats | None = None  # (M,), of the voter's list of answers, nats a token, or nan

    def __post_init__(self) -> None:
        size = len(self.example)
        for name in ("voter", "query", "answer"):
            if getattr(self, name).shape != (size,):
                raise InputError(
                    f"`{name}` must have one entry per vote, ({size},); "
                    f"got {getattr(self, name).shape}."
                )
        if self.candidates.shape != (len(self.ids),):
            raise InputError(
                f"`candidates` must be ({len(self.ids)},), got {self.candidates.shape}."
            )
        if size == 0:
            return
        if (np.diff(self.example) < 0).any():
            raise InputError("Votes must be sorted by example.")
        for name, names in (("example", self.ids), ("voter", self.voters), ("query", self.queries)):
            column = getattr(self, name)
            if column.min() < 0 or column.max() >= len(names):
                raise InputError(f"`{name}` must index its {len(names)} names.")
        limit = self.candidates[self.example]
        bad = (self.answer < ABSTAIN) | (self.answer >= limit)
        if bad.any():
            m = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"vote {self.answer[m]} of {self.voters[self.voter[m]]!r} on "
                f"{self.ids[self.example[m]]!r} is not an answer in [0, {limit[m]}); "
                f"an answer that cannot be read is ABSTAIN (-1)."
            )
        if self.probs is not None:
            check_rows(self.probs, size, [self.ids[i] for i in self.example[:1]], "probs")

    @property
    def num_classes(self) -> int:
        """K, the largest number of candidates of any example."""
        return int(self.candidates.max()) if len(self.candidates) else 0

    @cached_property
    def possible(self) -> npt.NDArray[np.bool_]:
        """Which answers each example has, (N, K)."""
        mask: npt.NDArray[np.bool_] = np.arange(self.num_classes) < self.candidates[:, None]
        return mask

    @cached_property
    def counts(self) -> Floats:
        """Readable votes for each answer, (N, K)."""
        k = self.num_classes
        read = self.answer != ABSTAIN
        cell = self.example[read] * k + self.answer[read]
        table = np.bincount(cell, minlength=len(self.ids) * k).reshape(len(self.ids), k)
        return table.astype(np.float64)

    @cached_property
    def distributions(self) -> Floats:
        """Each vote as a distribution over answers, (M, K); all zero for an abstention.

        The voter's own probabilities where it gave them, else one-hot.
        """
        read = self.answer != ABSTAIN
        rows = np.zeros((len(self.answer), self.num_classes))
        if self.probs is None:
            rows[np.flatnonzero(read), self.answer[read]] = 1.0
        else:
            rows[read] = self.probs[read]
        return rows

    def uniform(self) -> Floats:
        """The distribution of an example that nobody answered, (N, K)."""
        rows: Floats = self.possible / np.maximum(self.candidates, 1)[:, None]
        return rows

    def shares(self) -> Floats:
        """Share of each answer among an example's readable votes, (N, K); uniform if none is."""
        total = self.counts.sum(axis=1, keepdims=True)
        shares: Floats = np.divide(self.counts, total, out=self.uniform(), where=total > 0)
        return shares

    def sharpened(self, temperature: float) -> Floats:
        """r(a | x) = exp(p(a) / T) / sum over the answers given of exp(p(a') / T), (N, K).

        p(a) is the share of answer a. Zero for answers that nobody gave, and for examples
        without a readable vote. A unanimous example has r = 1 for any T.

        Source: Guo and Yang 2024, arXiv:2406.19032, reliability re-weighting (from the
            authors' code, `our_method_reweighting.py` of Irenehere/ReliableAlignment).
        """
        given = self.counts > 0
        power = np.where(given, np.exp((self.shares() - 1) / temperature), 0.0)
        total = power.sum(axis=1, keepdims=True)
        sharp: Floats = np.divide(power, total, out=np.zeros_like(power), where=total > 0)
        return sharp

    def means(self) -> Floats:
        """Mean distribution of an example's readable votes, (N, K); uniform if none is."""
        if self.probs is None:
            return self.shares()
        read = self.answer != ABSTAIN
        total = np.zeros((len(self.ids), self.num_classes))
        np.add.at(total, self.example[read], self.distributions[read])
        votes = np.bincount(self.example[read], minlength=len(self.ids))[:, None]
        means: Floats = np.divide(total, votes, out=self.uniform(), where=votes > 0)
        return means

    def text_rows(self, votes: Ints) -> Ints:
        """Number in `word_probs` of each candidate of some votes, one vote after the other."""
        counts = self.candidates[self.example]
        starts = np.cumsum(counts) - counts
        many = counts[votes]
        first = np.repeat(starts[votes] - (np.cumsum(many) - many), many)
        return np.asarray(np.arange(int(many.sum())) + first, dtype=np.int64)

    def of_voter(self, voter: int) -> "Votes":
        """The votes of one voter alone, about the same examples."""
        rows = np.flatnonzero(self.voter == voter)
        return replace(
            self,
            voters=(self.voters[voter],),
            example=self.example[rows],
            voter=np.zeros(len(rows), dtype=np.int64),
            query=self.query[rows],
            answer=self.answer[rows],
            probs=None if self.probs is None else self.probs[rows],
            texts=tuple(np.array(self.texts, dtype=object)[rows]) if self.texts else (),
            reasons=tuple(np.array(self.reasons, dtype=object)[rows]) if self.reasons else (),
            word_probs=None
            if self.word_probs is None
            else self.word_probs.take(self.text_rows(rows)),
            entropy=None if self.entropy is None else self.entropy[rows],
        )

    def by_query(self) -> "Votes":
        """The same votes with each way that a voter was asked as a voter of its own.

        Then it can be learnt which wording or option order to trust.
        """
        asked, voter = np.unique(self.voter * len(self.queries) + self.query, return_inverse=True)
        pairs = [divmod(int(pair), len(self.queries)) for pair in asked]
        return replace(
            self,
            voters=distinct([f"{self.voters[v]}, {self.queries[q]}" for v, q in pairs]),
            queries=("unchanged",),
            voter=voter.astype(np.int64),
            query=np.zeros(len(self.query), dtype=np.int64),
        )


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names with `#2`, `#3`, ... behind those that stand a second, third, ... time."""
    count: dict[str, int] = {}
    distinct = []
    for name in names:
        count[name] = count.get(name, 0) + 1
        distinct.append(name if count[name] == 1 else f"{name}#{count[name]}")
    return tuple(distinct)
