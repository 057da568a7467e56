"""Votes as they stand in a file, made into one table: distributions, repeated votes, order."""

import json
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.io.columns import Column
from steelyard.types import ABSTAIN, Floats, Ints, Votes
from steelyard.types.build_votes import candidates_of_pairs, vote_order
from steelyard.votes_io.classes import FileClasses, OpenAnswers
from steelyard.votes_io.raw_votes import RawVotes, empty, shown

Duplicates = Literal["error", "last", "mean"]
"""Of one voter's votes on one item, asked the same way: refuse, keep the last, take the mean."""


def given_probabilities(
    cast: RawVotes, number: Ints, meaning: FileClasses | OpenAnswers, *, sure: bool
) -> Floats | None:
    """Distributions of the votes, (M, K): as given, else one-hot; uniform of an abstention."""
    column = cast.probabilities
    if column is None or isinstance(meaning, OpenAnswers) or all(map(empty, column.values)):
        return None
    size = len(meaning.names)
    rows = np.full((len(column.values), size), np.nan)
    for code, value in enumerate(column.values):
        if not empty(value):
            rows[code] = _distribution(cast, code, value, size)
    probs: Floats = rows[column.codes]
    silent = np.isnan(probs[:, 0])
    probs[silent & (number == ABSTAIN)] = 1 / size
    plain = np.flatnonzero(silent & (number != ABSTAIN))
    probs[plain] = 0.0
    probs[plain, number[plain]] = 1.0
    said = np.take_along_axis(probs, np.maximum(number, 0)[:, None], axis=1)[:, 0]
    other = (number != ABSTAIN) & (said < probs.max(axis=1) - 1e-9)
    if other.any() and not sure:
        vote = int(np.argmax(other))
        best = meaning.names[int(probs[vote].argmax())]
        raise InputError(
            f"{cast.place(vote)}: the vote of {cast.who(vote)} has its largest probability at "
            f"{best!r} if the classes are in the order {shown(list(meaning.names))}, and answers "
            f"{meaning.names[number[vote]]!r}. List the classes in their order for `--classes`."
        )
    return probs


def _distribution(cast: RawVotes, code: int, value: Any, size: int) -> Any:
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
        assert cast.probabilities is not None
        vote = cast.probabilities.first(code)
        raise InputError(
            f"{cast.place(vote)}: `probabilities` of {cast.who(vote)} must be {size} numbers >= 0 "
            f"that sum to 1, one for each class in order; got {shown(value)}."
        )
    return row / row.sum()


def tabulate(
    cast: RawVotes,
    number: Ints,
    meaning: FileClasses | OpenAnswers,
    probs: Floats | None,
    duplicates: Duplicates,
) -> tuple[Votes, int]:
    example = cast.example
    order, repeats = vote_order(example, cast.voter, cast.query)
    found = int(repeats.sum())
    if found and duplicates == "error":
        refuse_repeats(
            cast,
            order,
            repeats,
            f"There are {found:,} such votes: keep one of each, tell them apart by `query`, or "
            "choose `--duplicates last` or `mean`.",
        )
    answer = meaning.candidates(example, number)
    texts: tuple[tuple[str, ...], ...] = ()
    candidates = np.full(len(cast.ids), 1, dtype=np.int64)
    if isinstance(meaning, OpenAnswers):
        candidates, texts = candidates_of_pairs(meaning.pairs, meaning.names, len(cast.ids))
    else:
        candidates *= len(meaning.names)
    if found and duplicates == "mean":
        answer, probs = _mean(order, repeats, answer, probs, int(candidates.max()))
        order = order[~repeats]
    elif found:
        order = order[~np.append(repeats[1:], False)]
    votes = Votes(
        ids=cast.ids,
        voters=cast.voters,
        queries=cast.queries,
        example=example[order].astype(np.int64),
        voter=cast.voter[order].astype(np.int64),
        query=cast.query[order].astype(np.int64),
        answer=answer[order],
        candidates=candidates,
        classes=meaning.names if isinstance(meaning, FileClasses) else (),
        probs=None if probs is None else probs[order],
        texts=_strings(cast.answer, order) if isinstance(meaning, OpenAnswers) else (),
        candidate_texts=texts,
        reasons=() if cast.reason is None else _strings(cast.reason, order),
    )
    return votes, found


def _strings(column: Column, order: Ints) -> tuple[str, ...]:
    texts = np.array(["" if empty(value) else str(value) for value in column.values], dtype=object)
    return tuple(texts[column.codes[order]])


def refuse_repeats(
    cast: RawVotes, order: Ints, repeats: npt.NDArray[np.bool_], advice: str
) -> None:
    """Name the first vote that repeats another one.

    Args:
        cast: where the votes stand.
        order: the votes, sorted so that repeats follow each other.
        repeats: which of them repeat the one before.
        advice: what to do about it.

    Raises:
        InputError: always.
    """
    group = np.cumsum(~repeats)
    at = int(np.flatnonzero(repeats)[np.argmin(order[repeats])])
    vote, first = int(order[at]), int(order[np.searchsorted(group, group[at])])
    raise InputError(
        f"{cast.place(vote)}: {cast.voters[cast.voter[vote]]!r} votes on "
        f"{cast.ids[cast.example[vote]]!r} a second time, first at {cast.place(first)}. {advice}"
    )


def _mean(
    order: Ints, repeats: npt.NDArray[np.bool_], answer: Ints, probs: Floats | None, size: int
) -> tuple[Ints, Floats]:
    """Answers and distributions where the first of repeated votes has the mean of them all.

    Abstentions among them do not count. A tie of a voter with itself goes to a seeded draw.
    """
    read = answer != ABSTAIN
    rows = np.full((len(answer), size), 1 / size) if probs is None else probs.copy()
    if probs is None:
        rows[read] = 0.0
        rows[np.flatnonzero(read), answer[read]] = 1.0
    first = order[np.flatnonzero(~repeats)[np.cumsum(~repeats) - 1]]  # of each vote in order
    several = np.zeros(len(answer), dtype=bool)
    several[first[repeats]] = True
    votes = np.bincount(first, weights=read[order], minlength=len(answer))
    total = np.zeros((len(answer), size))
    np.add.at(total, first, np.where(read[order][:, None], rows[order], 0.0))
    merged = several & (votes > 0)
    rows[merged] = total[merged] / votes[merged, None]
    best = rows >= rows.max(axis=1, keepdims=True) - 1e-12
    draw = np.random.default_rng(0).random(rows.shape)
    answer = np.where(merged, np.where(best, draw, -1.0).argmax(axis=1), answer)
    return answer, rows
