"""Votes: the answers of weak supervisors, annotators or prompts to the same examples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.io.counted import counted
from steelyard.types.arrays import Floats, Ints, check_rows, tally
from steelyard.types.option_log_probs import OptionLogProbs
from steelyard.types.show import listed
from steelyard.types.words import WordProbabilities, members

ABSTAIN = -1
"""The answer number of a vote without an answer: unreadable, refused, or not given."""
NO_CANDIDATE = -2
"""The answer number of a true answer to an open question that no voter gave."""


@dataclass(frozen=True, eq=False)
class Votes:
    """M votes of V voters on N examples: a flat, sparse table, sorted by example.

    Vote m of voter `voters[voter[m]]` on example `ids[example[m]]` answers prompt variant
    `queries[query[m]]`.

    >>> import numpy as np
    >>> votes = Votes(
    ...     ids=("q1", "q2"), voters=("ann", "bob"), queries=("plain",), classes=("no", "yes"),
    ...     example=np.array([0, 0, 1]), voter=np.array([0, 1, 0]), query=np.array([0, 0, 0]),
    ...     answer=np.array([1, 0, ABSTAIN]), candidates=np.array([2, 2]))
    >>> votes
    <Votes: 3 votes of 2 voters on 2 examples, 1 abstention
      voters: ann 2, bob 1
      classes: no 1, yes 1>
    >>> votes.shares().tolist()
    [[0.5, 0.5], [0.5, 0.5]]

    Attributes:
        ids: names of the N examples.
        voters: names of the V voters.
        queries: names of the prompt variants (template, option order, sample); of votes without
            prompts there is one.
        example: (M,), number of each vote's example, ascending.
        voter: (M,), number of each vote's voter.
        query: (M,), number of each vote's prompt variant.
        answer: (M,), a candidate number in [0, candidates[example]), or ABSTAIN.
        candidates: (N,), number of possible answers of each example.
        classes: K names, the same for every example; empty for open answers.
        probs: (M, K), each voter's probabilities of the answers; rows sum to 1 and are 0 beyond
            an example's candidates. None where voters give none.
        texts: (M,) raw answers, or empty.
        candidate_texts: (N,) texts of the candidates of open answers, or empty.
        reasons: (M,) why a vote abstains, else ""; or empty.
        word_probs: probabilities of the words of each vote's candidates, one vote after the other,
            (sum of candidates[example]) texts; or None.
        entropy: (M,), of the voter's list of answers, in nats per token, or nan; or None.
        raw: log-probabilities behind `probs`, of answers that were scored; or None.
        notes: how the voters were asked, a sentence each.
        warnings: what their answers give away at once, such as votes that follow the position.
    """

    ids: tuple[str, ...]
    voters: tuple[str, ...]
    queries: tuple[str, ...]
    example: Ints
    voter: Ints
    query: Ints
    answer: Ints
    candidates: Ints
    classes: tuple[str, ...] = ()
    probs: Floats | None = None
    texts: tuple[str, ...] = ()
    candidate_texts: tuple[tuple[str, ...], ...] = ()
    reasons: tuple[str, ...] = ()
    word_probs: WordProbabilities | None = None
    entropy: Floats | None = None
    raw: OptionLogProbs | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        abstained = int((self.answer == ABSTAIN).sum())
        votes = np.bincount(self.voter, minlength=len(self.voters))
        lines = [
            f"<Votes: {counted(len(self.answer), 'vote')} of {counted(len(self.voters), 'voter')} "
            f"on {counted(len(self.ids), 'example')}, {counted(abstained, 'abstention')}",
            f"  voters: {listed(self.voters, votes)}",
        ]
        if len(self.queries) > 1:
            lines.append(f"  prompt variants: {listed(self.queries)}")
        if self.candidate_texts or not len(self.ids):
            lines.append(f"  open answers, at most {counted(self.num_classes, 'candidate')}")
        else:
            lines.append(f"  classes: {listed(self.class_names, self.counts.sum(axis=0))}")
        lines += ["  with probabilities"] if self.probs is not None else []
        return "\n".join(lines) + ">"

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

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names: `classes`, or the numbers from 0 where these are empty."""
        return self.classes or tuple(str(k) for k in range(self.num_classes))

    def answer_names(self, numbers: Ints) -> list[str | None]:
        """The name of an answer to each example: a class name, or the text of an open answer.

        Args:
            numbers: (N,), candidate numbers; the name of a negative one, such as ABSTAIN, is None.
        """
        if self.candidate_texts:
            pairs = zip(self.candidate_texts, numbers.tolist(), strict=True)
            return [texts[number] if number >= 0 else None for texts, number in pairs]
        return [self.class_names[number] if number >= 0 else None for number in numbers.tolist()]

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
        return tally(cell, len(self.ids) * k).reshape(len(self.ids), k)

    @cached_property
    def answered(self) -> npt.NDArray[np.bool_]:
        """Which examples have a readable vote, (N,)."""
        read = self.example[self.answer != ABSTAIN]
        mask: npt.NDArray[np.bool_] = np.bincount(read, minlength=len(self.ids)) > 0
        return mask

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
        """Uniform over the candidates of each example, (N, K)."""
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

    def take(self, rows: Ints) -> "Votes":
        """Some of the votes, by their ascending row numbers, about the same examples."""
        words = self.word_probs
        if words is not None:
            words = words.take(members(self.candidates[self.example], rows))
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in ("example", "voter", "query", "answer")},
            probs=None if self.probs is None else self.probs[rows],
            texts=tuple(np.array(self.texts, dtype=object)[rows]) if self.texts else (),
            reasons=tuple(np.array(self.reasons, dtype=object)[rows]) if self.reasons else (),
            word_probs=words,
            entropy=None if self.entropy is None else self.entropy[rows],
            raw=None if self.raw is None else self.raw.take(rows),
        )

    def of_voter(self, voter: int) -> "Votes":
        """The votes of one voter alone, about the same examples."""
        votes = self.take(np.flatnonzero(self.voter == voter))
        voters = (self.voters[voter],)
        return replace(votes, voters=voters, voter=np.zeros(len(votes.voter), dtype=np.int64))

    def of_voters(self, voters: Ints) -> "Votes":
        """The votes of some voters, by their ascending numbers, about the same examples."""
        votes = self.take(np.flatnonzero(np.isin(self.voter, voters)))
        names = tuple(self.voters[int(v)] for v in voters)
        return replace(votes, voters=names, voter=np.searchsorted(voters, votes.voter))

    def by_query(self) -> "Votes":
        """The same votes with each prompt variant of a voter as a voter.

        Such voters depend on one another: `query_groups` says which belong together.
        """
        keys, voter = np.unique(self.voter * len(self.queries) + self.query, return_inverse=True)
        pairs = [divmod(int(key), len(self.queries)) for key in keys]
        return replace(
            self,
            voters=distinct([f"{self.voters[v]}, {self.queries[q]}" for v, q in pairs]),
            queries=("unchanged",),
            voter=voter.astype(np.int64),
            query=np.zeros(len(self.query), dtype=np.int64),
        )

    def query_groups(self) -> tuple[tuple[int, ...], ...]:
        """Numbers in `by_query()` of the voters that are one voter here, if several are."""
        keys = np.unique(self.voter * len(self.queries) + self.query)
        ends = np.flatnonzero(np.diff(keys // len(self.queries))) + 1
        groups = np.split(np.arange(len(keys)), ends)
        return tuple(tuple(group.tolist()) for group in groups if len(group) > 1)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names with `#2`, `#3`, ... appended to the second, third, ... of equal ones."""
    count: dict[str, int] = {}
    distinct = []
    for name in names:
        count[name] = count.get(name, 0) + 1
        distinct.append(name if count[name] == 1 else f"{name}#{count[name]}")
    return tuple(distinct)
