"""The nouns. Every stage takes some of these and returns one of these.

Sizes: N examples, V voters, M votes, K answers (classes, options or candidates).
Row i of an array belongs to ids[i]. Arrays are checked once, where they cross a stage's border.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

ABSTAIN = -1
"""The answer of a voter that names no class: unreadable, refused, or not given."""

PAIR = ("first", "second")
"""Names of a preference's two answers: where they stand, which says nothing of their worth."""


def chosen_place(name: str) -> int:
    """Where the chosen answer of a preference row stands, 0 or 1: a coin that its id alone throws.

    >>> [chosen_place(name) for name in ("a", "b", "c", "d", "e", "f")]
    [0, 0, 1, 1, 1, 0]
    """
    return blake2b(b"pair " + name.encode(), digest_size=1).digest()[0] & 1


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked.

    `choices` are the options of a multiple-choice question. Classification shares one list of
    classes (`Task.classes`), open answers have none: both leave `choices` empty.
    """

    id: str
    text: str
    choices: tuple[str, ...] = ()
    context: str = ""


@dataclass(frozen=True, eq=False)
class Split:
    """Questions with their true answers, kept apart so that truth is handed over on purpose.

    Closed questions have answer numbers. Open ones have the true text in `answers`, and `truth` is
    all 0: the number of that text in a list of its own.
    """

    questions: tuple[Question, ...]
    truth: Ints  # (N,), answer numbers
    answers: tuple[str, ...] = ()  # (N,), true texts of open questions; empty for closed ones

    def __post_init__(self) -> None:
        if self.answers and len(self.answers) != len(self.questions):
            raise InputError(
                f"`answers` must have one text per question, {len(self.questions)}; "
                f"got {len(self.answers)}."
            )
        if self.truth.shape != (len(self.questions),):
            raise InputError(
                f"`truth` must have one answer per question, ({len(self.questions)},); "
                f"got {self.truth.shape}."
            )

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(question.id for question in self.questions)


@dataclass(frozen=True, eq=False)
class Task:
    """A data set in three disjoint splits (Burns et al. 2023, arXiv:2312.09390, section 3)."""

    name: str
    kind: str  # "classification", "multiple_choice", "preference" or "generation"
    classes: tuple[str, ...]  # names; of multiple choice the option numbers "0", "1"; PAIR of pairs
    weak_train: Split  # truth is used: it makes the weak supervisors
    strong_train: Split  # truth is hidden: the student learns from votes
    test: Split

    @property
    def answers(self) -> int:
        """K, the number of classes or the largest number of options."""
        return len(self.classes)


@dataclass(frozen=True, eq=False)
class Spans:
    """Parts of S texts, in order: part p of text s is its characters `begin[p]:end[p]`."""

    rows: Ints  # (S + 1,), parts rows[s]:rows[s + 1] are of text s
    begin: Ints  # (P,)
    end: Ints  # (P,)

    @property
    def text(self) -> Ints:
        """Number of the text of each part, (P,)."""
        return np.repeat(np.arange(len(self.rows) - 1), np.diff(self.rows))


@dataclass(frozen=True, eq=False)
class Words:
    """Words of S texts, and how probable a supervisor finds each of them."""

    spans: Spans  # of W words
    log_probs: Floats  # (W,), ln P; nan in a text that the supervisor cannot score

    @staticmethod
    def stack(parts: "Sequence[Words]") -> "Words":
        """The texts of all parts, one part after the other."""
        sizes = np.cumsum([0, *(part.spans.rows[-1] for part in parts)])
        rows = [part.spans.rows[1:] + size for part, size in zip(parts, sizes, strict=False)]
        spans = Spans(
            np.concatenate([[0], *rows]),
            np.concatenate([part.spans.begin for part in parts]),
            np.concatenate([part.spans.end for part in parts]),
        )
        return Words(spans, np.concatenate([part.log_probs for part in parts]))

    def take(self, texts: Ints) -> "Words":
        """The words of some of the texts, in the order of `texts`."""
        counts = np.diff(self.spans.rows)[texts]
        rows = np.concatenate([[0], np.cumsum(counts)])
        place = np.arange(rows[-1]) + np.repeat(self.spans.rows[texts] - rows[:-1], counts)
        spans = Spans(rows, self.spans.begin[place], self.spans.end[place])
        return Words(spans, self.log_probs[place])


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
    words: Words | None = None  # of each vote's candidates in turn, (sum of candidates[example])
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
            _check_rows(self.probs, size, [self.ids[i] for i in self.example[:1]], "probs")

    @property
    def answers(self) -> int:
        """K, the largest number of candidates of any example."""
        return int(self.candidates.max()) if len(self.candidates) else 0

    @cached_property
    def possible(self) -> npt.NDArray[np.bool_]:
        """Which answers each example has, (N, K)."""
        mask: npt.NDArray[np.bool_] = np.arange(self.answers) < self.candidates[:, None]
        return mask

    @cached_property
    def counts(self) -> Floats:
        """Readable votes for each answer, (N, K)."""
        k = self.answers
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
        rows = np.zeros((len(self.answer), self.answers))
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
        total = np.zeros((len(self.ids), self.answers))
        np.add.at(total, self.example[read], self.distributions[read])
        votes = np.bincount(self.example[read], minlength=len(self.ids))[:, None]
        means: Floats = np.divide(total, votes, out=self.uniform(), where=votes > 0)
        return means

    def text_rows(self, votes: Ints) -> Ints:
        """Number in `words` of each candidate of some votes, one vote after the other."""
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
            words=None if self.words is None else self.words.take(self.text_rows(rows)),
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
            voters=_distinct([f"{self.voters[v]}, {self.queries[q]}" for v, q in pairs]),
            queries=("as it stands",),
            voter=voter.astype(np.int64),
            query=np.zeros(len(self.query), dtype=np.int64),
        )


def join_votes(parts: Sequence[Votes]) -> Votes:
    """The votes of several supervisors about the same examples, as one table.

    Distributions are kept only if every part has them; a part without is taken as one-hot. Open
    answers have the candidates of all parts, equal texts once.

    Raises:
        InputError: the parts are about different examples or answers.
    """
    first = parts[0]
    same = all(part.ids == first.ids for part in parts)
    open_ones = same and all(part.candidate_texts for part in parts)
    if open_ones and any(part.candidate_texts != first.candidate_texts for part in parts):
        parts = _share_candidates(parts)
        first = parts[0]
    if not same or any(not np.array_equal(p.candidates, first.candidates) for p in parts):
        raise InputError("Votes can be joined only if they are about the same examples.")
    voters = _distinct([name for part in parts for name in part.voters])
    queries = tuple(dict.fromkeys(name for part in parts for name in part.queries))
    row = {name: i for i, name in enumerate(queries)}
    offsets = np.cumsum([0, *(len(part.voters) for part in parts)])
    example = np.concatenate([part.example for part in parts])
    order = np.argsort(example, kind="stable")
    known, sure = [part.words for part in parts], [part.entropy for part in parts]
    query = [np.array([row[q] for q in p.queries], dtype=np.int64)[p.query] for p in parts]
    soft = any(part.probs is not None for part in parts)
    return Votes(
        ids=first.ids,
        voters=voters,
        queries=queries,
        example=example[order],
        voter=np.concatenate([p.voter + o for p, o in zip(parts, offsets, strict=False)])[order],
        query=np.concatenate(query)[order],
        answer=np.concatenate([part.answer for part in parts])[order],
        candidates=first.candidates,
        classes=first.classes,
        probs=_stack_probs(parts)[order] if soft else None,
        candidate_texts=first.candidate_texts,
        words=None if None in known else _stack_words(parts, order),
        entropy=np.concatenate([e for e in sure if e is not None])[order]
        if all(e is not None for e in sure)
        else None,
    )


def _stack_words(parts: Sequence[Votes], order: Ints) -> Words:
    """Words of all parts' votes, votes in the given order."""
    whole = Words.stack([part.words for part in parts if part.words is not None])
    counts = np.concatenate([part.candidates[part.example] for part in parts])
    many = counts[order]
    first = (np.cumsum(counts) - counts)[order] - (np.cumsum(many) - many)
    return whole.take(np.arange(int(many.sum())) + np.repeat(first, many))


def _share_candidates(parts: Sequence[Votes]) -> list[Votes]:
    """The same votes, all with the candidates of all parts, numbered as they first occur.

    An empty text stands for no candidate, and for an example without one.
    """
    numbers: list[dict[str, int]] = [{} for _ in parts[0].ids]
    renamed = []
    for part in parts:
        new = [
            own.setdefault(text, len(own)) if text else ABSTAIN
            for own, texts in zip(numbers, part.candidate_texts, strict=True)
            for text in texts
        ]
        starts = np.cumsum([0, *part.candidates])
        read = part.answer != ABSTAIN
        answer = part.answer.copy()
        answer[read] = np.array(new, dtype=np.int64)[(starts[part.example] + answer)[read]]
        renamed.append(answer)
    texts = tuple(tuple(own) or ("",) for own in numbers)
    counts = np.array([len(own) for own in texts], dtype=np.int64)
    return [
        replace(
            part, answer=answer, candidates=counts, candidate_texts=texts, probs=None, words=None
        )
        for part, answer in zip(parts, renamed, strict=True)
    ]


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names with `#2`, `#3`, ... behind those that stand a second, third, ... time."""
    count: dict[str, int] = {}
    distinct = []
    for name in names:
        count[name] = count.get(name, 0) + 1
        distinct.append(name if count[name] == 1 else f"{name}#{count[name]}")
    return tuple(distinct)


def _stack_probs(parts: Sequence[Votes]) -> Floats:
    rows = []
    for part in parts:
        own = part.distributions.copy() if part.probs is None else part.probs
        silent = own.sum(axis=1) == 0
        own[silent] = part.uniform()[part.example[silent]]
        rows.append(own)
    return np.concatenate(rows)


@dataclass(frozen=True, eq=False)
class VoterSkill:
    """What an estimator learnt about each voter."""

    voters: tuple[str, ...]  # V
    accuracy: Floats  # (V,), P(the voter's answer is right) over the classes as they occur
    confusion: Floats | None = None  # (V, K, K), P(voter answers l | truth is k), rows sum to 1

    def __post_init__(self) -> None:
        if self.accuracy.shape != (len(self.voters),):
            raise InputError(
                f"`accuracy` must be ({len(self.voters)},), got {self.accuracy.shape}."
            )


@dataclass(frozen=True, eq=False)
class Reliability:
    """How far each weak label can be trusted."""

    ids: tuple[str, ...]
    posterior: Floats  # (N, K), P(answer | votes), rows sum to 1
    score: Floats  # (N,), in [0, 1], higher is more reliable
    skill: VoterSkill | None = None  # of the voters, where the estimator learns it

    def __post_init__(self) -> None:
        _check_rows(self.posterior, len(self.ids), self.ids, "posterior")
        if self.score.shape != (len(self.ids),):
            raise InputError(f"`score` must be ({len(self.ids)},), got {self.score.shape}.")
        bad = ~((self.score >= 0) & (self.score <= 1))
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise InputError(f"score {self.score[i]} of {self.ids[i]!r} is not in [0, 1].")


@dataclass(frozen=True, eq=False)
class Apart:
    """The labels of several weak supervisors, each for itself."""

    supervisors: tuple[str, ...]  # M
    targets: Floats  # (N, M, K), rows sum to 1, or are all 0 where a supervisor is silent
    weights: Floats  # (M,), positive, sum to 1

    def __post_init__(self) -> None:
        size, voters, answers = self.targets.shape
        rows = self.targets.reshape(size * voters, answers)
        said = rows.any(axis=1)
        _check_rows(rows[said], int(said.sum()), (), "targets apart")
        if voters != len(self.supervisors) or self.weights.shape != (voters,):
            raise InputError(f"`targets` are of {voters} supervisors; name and weigh as many.")
        if not (self.weights > 0).all() or abs(self.weights.sum() - 1) > 1e-6:
            raise InputError(f"`weights` must be positive and sum to 1, got {self.weights}.")


@dataclass(frozen=True, eq=False)
class Written:
    """The answers to open questions that a student is taught, word by word.

    Text s is candidate `candidate[s]` of example `example[s]`. An answer stands more than once
    where supervisors that are kept apart gave it, each with its own words.
    """

    example: Ints  # (S,), ascending
    candidate: Ints  # (S,)
    share: Floats  # (S,), positive, those of an example sum to 1
    words: Words  # of the S texts; characters are those of the candidate's text
    entropy: Floats | None = None  # (S,), of the supervisors' lists, their mean in nats a token

    def __post_init__(self) -> None:
        size = len(self.example)
        if self.candidate.shape != (size,) or self.share.shape != (size,):
            raise InputError(f"`candidate` and `share` must have {size} entries.")
        if len(self.words.spans.rows) != size + 1:
            raise InputError(
                f"`words` must be of {size} texts, got {len(self.words.spans.rows) - 1}."
            )


@dataclass(frozen=True, eq=False)
class Selection:
    """What the student is taught. Weight 0 leaves an example out, `reasons` says why."""

    ids: tuple[str, ...]
    targets: Floats  # (N, K), rows sum to 1; a one-hot row is a hard label
    weights: Floats  # (N,), >= 0, mean 1 over the kept examples
    reasons: tuple[str, ...]  # (N,), empty for a kept example
    apart: Apart | None = None  # for objectives that hear each supervisor
    written: Written | None = None  # for objectives of single tokens

    def __post_init__(self) -> None:
        _check_rows(self.targets, len(self.ids), self.ids, "targets")
        if self.apart is not None and len(self.apart.targets) != len(self.ids):
            raise InputError(f"`apart` must have {len(self.ids)} rows.")
        if self.weights.shape != (len(self.ids),) or len(self.reasons) != len(self.ids):
            raise InputError(f"`weights` and `reasons` must have {len(self.ids)} rows.")
        bad = ~(np.isfinite(self.weights) & (self.weights >= 0))
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"weight {self.weights[i]} of {self.ids[i]!r} is not a finite number >= 0."
            )

    @property
    def kept(self) -> int:
        return int((self.weights > 0).sum())


@dataclass(frozen=True, eq=False)
class Predictions:
    """One model's class probabilities."""

    model: str
    ids: tuple[str, ...]
    probs: Floats  # (N, K), rows sum to 1

    def __post_init__(self) -> None:
        _check_rows(self.probs, len(self.ids), self.ids, "probs")


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def _check_rows(rows: Floats, size: int, ids: Sequence[str], name: str) -> None:
    if rows.ndim != 2 or len(rows) != size:
        raise InputError(f"`{name}` must have {size} rows of answers, got shape {rows.shape}.")
    bad = ~(np.isfinite(rows).all(axis=1) & (rows >= 0).all(axis=1))
    bad |= np.abs(rows.sum(axis=1) - 1) > 1e-6
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        where = f" of {ids[i]!r}" if i < len(ids) else f", row {i},"
        raise InputError(f"`{name}`{where} must be probabilities that sum to 1, got {rows[i]}.")


def rows_of(ids: Sequence[str], wanted: Sequence[str]) -> Ints:
    """Row of each wanted id, so that arrays are joined by name and never by position.

    >>> rows_of(("a", "b", "c"), ("c", "a"))
    array([2, 0])
    """
    row = {name: i for i, name in enumerate(ids)}
    missing = [name for name in wanted if name not in row]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(wanted)} ids are unknown, first {missing[0]!r}. "
            "Both must come from the same data set, sizes and seed."
        )
    return np.array([row[name] for name in wanted], dtype=np.int64)


def one_hot(labels: Ints, answers: int) -> Floats:
    """Labels as rows of a distribution, (N, answers)."""
    rows: Floats = np.eye(answers)[labels]
    return rows
