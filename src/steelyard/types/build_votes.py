"""Tables of votes: from probabilities, and from answers in any order."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from steelyard.types import ABSTAIN, NO_CANDIDATE, Floats, Ints, Question, Votes
from steelyard.types.arrays import leaders, random_choice


def votes_from_probabilities(
    questions: Sequence[Question],
    classes: tuple[str, ...],
    voters: Sequence[str],
    probs: Sequence[Floats],
    queries: Sequence[str] = ("unchanged",),
) -> Votes:
    """One vote of each voter and query on each question: its most probable answer.

    A voter's tie is drawn at random, by the row of the vote: no answer has an advantage.

    Args:
        questions: N of them.
        classes: K names.
        voters: V names.
        probs: V * Q arrays (N, K): voter 0's queries, then voter 1's, ...
        queries: Q names of the prompt variants that each voter answered.
    """
    size, width = len(questions), len(voters) * len(queries)
    table = np.stack(probs, axis=1).reshape(size * width, probs[0].shape[1])
    columns = np.arange(width)
    return Votes(
        ids=tuple(question.id for question in questions),
        voters=tuple(voters),
        queries=tuple(queries),
        example=np.repeat(np.arange(size), width),
        voter=np.tile(columns // len(queries), size),
        query=np.tile(columns % len(queries), size),
        answer=random_choice(leaders(table) > 0),
        candidates=candidates_of(questions, len(classes)),
        classes=classes,
        probs=table,
    )


def candidates_of(questions: Sequence[Question], num_classes: int) -> np.ndarray:
    """Number of possible answers of each question, (N,): its options, or all classes."""
    return np.array([len(q.choices) or num_classes for q in questions], dtype=np.int64)


def vote_order(
    example: npt.NDArray[np.integer],
    voter: npt.NDArray[np.integer],
    query: npt.NDArray[np.integer],
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """The order of a table's rows, and which of them repeat the row before, (M,) each.

    Rows are sorted by example, voter and query; equal ones keep the order of the file.
    """
    if len(example) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    voters, queries = int(voter.max()) + 1, int(query.max()) + 1
    if (int(example.max()) + 1) * voters * queries < 2**63:
        key = (example.astype(np.int64) * voters + voter) * queries + query
        order = np.argsort(key, kind="stable")
        same = np.diff(key[order]) == 0
    else:
        order = np.lexsort((query, voter, example))
        same = np.ones(len(order) - 1, dtype=bool)
        for column in (example, voter, query):
            same &= np.diff(column[order]) == 0
    return order, np.concatenate([[False], same])


def open_votes(
    ids: tuple[str, ...],
    voters: tuple[str, ...],
    queries: tuple[str, ...],
    example: Ints,
    voter: Ints,
    query: Ints,
    answers: Sequence[str | None],
    texts: tuple[str, ...] = (),
    reasons: tuple[str, ...] = (),
) -> Votes:
    """Votes on open questions: the distinct answers of each example are its candidates, sorted.

    Args:
        ids: N of them.
        voters: V names.
        queries: names of the prompt variants.
        example: (M,), in any order.
        voter: (M,).
        query: (M,).
        answers: M canonical texts; None abstains.
        texts: M raw answers, or empty.
        reasons: M reasons why a vote abstains, or empty.
    """
    names = sorted({answer for answer in answers if answer is not None})
    row = {name: i for i, name in enumerate(names)}
    number = np.array([ABSTAIN if a is None else row[a] for a in answers], dtype=np.int64)
    pairs = given_pairs(example, number, len(names))
    order, _ = vote_order(example, voter, query)
    where = np.searchsorted(pairs, example * len(names) + number)
    first = np.searchsorted(pairs, example * len(names))
    candidates, candidate_texts = candidates_of_pairs(pairs, tuple(names), len(ids))
    return Votes(
        ids=ids,
        voters=voters,
        queries=queries,
        example=example[order],
        voter=voter[order],
        query=query[order],
        answer=np.where(number == ABSTAIN, ABSTAIN, where - first)[order],
        candidates=candidates,
        candidate_texts=candidate_texts,
        texts=tuple(texts[i] for i in order) if texts else (),
        reasons=tuple(reasons[i] for i in order) if reasons else (),
    )


def given_pairs(example: npt.NDArray[np.integer], number: Ints, names: int) -> Ints:
    """Which answer was given to which example: sorted distinct example * names + number."""
    read = number != ABSTAIN
    return np.unique(example[read].astype(np.int64) * names + number[read])


def numbers_of_pairs(
    pairs: Ints, names: int, example: npt.NDArray[np.integer], number: Ints
) -> Ints:
    """Candidate numbers, (M,), from numbers of names: NO_CANDIDATE where the pair is not given.

    Args:
        pairs: as `given_pairs` has them.
        names: how many names there are.
        example: (M,).
        number: (M,), of names; ABSTAIN stays.
    """
    start = example.astype(np.int64) * names
    position = np.searchsorted(pairs, start + number)
    given = np.append(pairs, -1)[position] == start + number
    candidate = np.where(given & (number >= 0), position - np.searchsorted(pairs, start), -1)
    candidate[(candidate < 0) & (number != ABSTAIN)] = NO_CANDIDATE
    return candidate


def candidates_of_pairs(
    pairs: Ints, names: tuple[str, ...], size: int
) -> tuple[Ints, tuple[tuple[str, ...], ...]]:
    """Number of candidates (N,) and their texts (N) of open questions.

    An example without an answer has one candidate, the empty text.
    """
    texts = np.array(names, dtype=object)[pairs % max(len(names), 1)]
    counts = np.bincount(pairs // max(len(names), 1), minlength=size)
    parts = np.split(texts, np.cumsum(counts)[:-1])
    return np.maximum(counts, 1), tuple(tuple(part) if len(part) else ("",) for part in parts)
