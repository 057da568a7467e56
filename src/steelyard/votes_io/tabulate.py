"""From raw votes to a table of votes: distributions, repeated votes, order."""

import json
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.io.columns import Column
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.types.arrays import random_choice
from steelyard.types.build_votes import candidates_of_pairs, vote_order
from steelyard.votes_io.classes import FileClasses, OpenAnswers
from steelyard.votes_io.values import empty, quoted
from steelyard.votes_io.vote_columns import RawVotes

LARGE = 300_000_000
"""The largest number of probabilities; they take 2.4 GB."""
Duplicates = Literal["error", "last", "mean"]
"""Repeated votes of a voter on an item with the same prompt: refuse, keep the last, or average."""


def given_probabilities(
    raw: RawVotes, number: Ints, label_set: FileClasses | OpenAnswers, *, classes_given: bool
) -> Floats | None:
    """Distributions of the votes, (M, K): as given, else one-hot, and uniform for an abstention.

    `classes_given`: the order of the classes is the user's, and not checked against the answers.
    """
    column = raw.probabilities
    if column is None or isinstance(label_set, OpenAnswers) or all(map(empty, column.values)):
        return None
    size = len(label_set.names)
    if size * len(number) > LARGE:
        raise InputError(
            f"{raw.source.name} has `probabilities` of {size:,} classes in {len(number):,} votes, "
            f"more than {LARGE:,} numbers; leave that column out."
        )
    rows = np.full((len(column.values), size), np.nan)
    for code, value in enumerate(column.values):
        if not empty(value):
            rows[code] = _distribution(raw, code, value, size)
    probs: Floats = rows[column.codes]
    missing = np.isnan(probs[:, 0])
    probs[missing & (number == ABSTAIN)] = 1 / size
    plain = np.flatnonzero(missing & (number != ABSTAIN))
    probs[plain] = 0.0
    probs[plain, number[plain]] = 1.0
    of_answer = np.take_along_axis(probs, np.maximum(number, 0)[:, None], axis=1)[:, 0]
    differs = (number != ABSTAIN) & (of_answer < probs.max(axis=1) - 1e-9)
    if differs.any() and not classes_given:
        vote = int(np.argmax(differs))
        best = label_set.names[int(probs[vote].argmax())]
        raise InputError(
            f"{raw.location(vote)}: the vote of {raw.description(vote)} has its largest "
            f"probability at {best!r} if the classes are in the order "
            f"{quoted(list(label_set.names))}, and answers "
            f"{label_set.names[number[vote]]!r}. Give the class names in their order as `classes`."
        )
    return probs


def _distribution(raw: RawVotes, code: int, value: Any, size: int) -> Any:
    given = value
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = None
    try:
        row = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        row = np.zeros(0)
    if row.shape != (size,) or not (row >= 0).all() or not abs(row.sum() - 1) <= 1e-3:
        assert raw.probabilities is not None
        vote = raw.probabilities.first(code)
        raise InputError(
            f"{raw.location(vote)}: `probabilities` of {raw.description(vote)} must be {size} "
            f"numbers >= 0 that sum to 1, one for each class in order; got {quoted(value)}."
        )
    return row / row.sum()


def tabulate(
    raw: RawVotes,
    number: Ints,
    label_set: FileClasses | OpenAnswers,
    probs: Floats | None,
    duplicates: Duplicates = "error",
    advice: str = "keep one of each, or tell them apart by `query`.",
) -> tuple[Votes, int]:
    """The table of votes, and how many votes repeat an earlier one.

    Args:
        raw: M votes about N ids.
        number: (M,), class or name of each vote, as `label_set.numbers` has them.
        label_set: the possible answers.
        probs: (M, K), or None.
        duplicates: what to do with repeated votes.
        advice: end of the message if they are refused.

    Raises:
        InputError: a vote is repeated, and `duplicates` is "error".
    """
    example = raw.example
    order, repeats = vote_order(example, raw.voter, raw.query)
    repeated = int(repeats.sum())
    if repeated and duplicates == "error":
        _refuse_repeats(raw, order, repeats, f"There are {repeated:,} such votes: {advice}")
    answer = label_set.candidates(example, number)
    is_open = isinstance(label_set, OpenAnswers)
    texts: tuple[tuple[str, ...], ...] = ()
    candidates = np.full(len(raw.ids), len(label_set.names), dtype=np.int64)
    if isinstance(label_set, OpenAnswers):
        candidates, texts = candidates_of_pairs(label_set.pairs, label_set.names, len(raw.ids))
    if repeated and duplicates == "mean":
        answer, probs = _mean(order, repeats, answer, probs, int(candidates.max()))
        order = order[~repeats]
    elif repeated:
        order = order[~np.append(repeats[1:], False)]
    votes = Votes(
        ids=raw.ids,
        voters=raw.voters,
        queries=raw.queries,
        example=example[order].astype(np.int64),
        voter=raw.voter[order].astype(np.int64),
        query=raw.query[order].astype(np.int64),
        answer=answer[order],
        candidates=candidates,
        classes=() if is_open else label_set.names,
        probs=None if probs is None else probs[order],
        texts=_strings(raw.answer, order) if is_open else (),
        candidate_texts=texts,
        reasons=() if raw.reason is None else _strings(raw.reason, order),
    )
    return votes, repeated


def _strings(column: Column, order: Ints) -> tuple[str, ...]:
    texts = np.array(["" if empty(value) else str(value) for value in column.values], dtype=object)
    return tuple(texts[column.codes[order]])


def _refuse_repeats(
    raw: RawVotes, order: Ints, repeats: npt.NDArray[np.bool_], advice: str
) -> None:
    """Raise InputError about the first vote that repeats another one.

    `order` has the votes sorted so that repeats are adjacent, `repeats` marks those that repeat the
    vote before, and `advice` ends the message.
    """
    group = np.cumsum(~repeats)
    position = int(np.flatnonzero(repeats)[np.argmin(order[repeats])])
    vote, first = int(order[position]), int(order[np.searchsorted(group, group[position])])
    raise InputError(
        f"{raw.location(vote)}: {raw.voters[raw.voter[vote]]!r} votes on "
        f"{raw.ids[raw.example[vote]]!r} a second time, first at {raw.location(first)}. {advice}"
    )


def _mean(
    order: Ints, repeats: npt.NDArray[np.bool_], answer: Ints, probs: Floats | None, size: int
) -> tuple[Ints, Floats]:
    """Answers and distributions where the first of repeated votes has the mean of all of them.

    Abstentions among them do not count. Ties are broken at random with a fixed seed.
    """
    read = answer != ABSTAIN
    rows = np.full((len(answer), size), 1 / size) if probs is None else probs.copy()
    if probs is None:
        rows[read] = 0.0
        rows[np.flatnonzero(read), answer[read]] = 1.0
    first = order[np.flatnonzero(~repeats)[np.cumsum(~repeats) - 1]]  # of each vote in order
    repeated = np.zeros(len(answer), dtype=bool)
    repeated[first[repeats]] = True
    votes = np.bincount(first, weights=read[order], minlength=len(answer))
    total = np.zeros((len(answer), size))
    np.add.at(total, first, np.where(read[order][:, None], rows[order], 0.0))
    merged = repeated & (votes > 0)
    rows[merged] = total[merged] / votes[merged, None]
    best = random_choice(rows >= rows.max(axis=1, keepdims=True) - 1e-12)
    return np.where(merged, best, answer), rows
