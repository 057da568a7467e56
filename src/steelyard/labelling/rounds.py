"""Ask where it helps most: a little of everything first, then again where answers differ."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steelyard.labelling.adaptive import ask_next
from steelyard.labelling.items import Items
from steelyard.reliability.hierarchical import Hierarchical
from steelyard.supervision.api.request_batch import NOT_ASKED, RequestBatch
from steelyard.supervision.api.supervisor import Api
from steelyard.supervision.parsed_replies import ParsedReply, votes_of
from steelyard.types import Floats

START = 2  # queries about every question, before any is asked again
ROUNDS = 4  # that a question's worth of queries for all is spread over


def ask_in_rounds(
    items: Items, askers: Sequence[tuple[Api, RequestBatch]], budget: int, seed: int
) -> list[list[ParsedReply]]:
    """At most `budget` queries in all: two about each question, then again where doubt is largest.

    A question's queries take turns over the supervisors: the first query of each, then the second
    ones. Between rounds of a quarter of the questions, `hierarchical` says how sure each answer is
    (with every way of asking as a voter of its own) and `ask_next` which questions are next. What
    is asked depends on the answers alone, so a stopped run takes the same way again.

    Returns:
        Answers of each asker.
    """
    ways = _ways(askers, items.kind)
    size = len(items.questions)
    asked = np.zeros(size, dtype=np.int64)
    said: list[ParsedReply] = []
    left = budget
    while left > 0:
        if len(said) == 0 or asked.min() < min(START, len(ways)):
            rows = np.flatnonzero(asked == asked.min())[:left]
        else:
            posterior = _posterior(items, ways, said)
            rows = ask_next(posterior, asked, len(ways), min(left, max(1, size // ROUNDS)))
        if len(rows) == 0:
            break
        heard = _ask(items, askers, ways, rows, asked, seed)
        said += heard
        asked[rows] += 1
        left -= len(rows)
        if any(one.reason == NOT_ASKED for one in heard):
            break
    return [
        [replace(one, voter=0) for one in said if ways[one.voter][0] == n]
        for n in range(len(askers))
    ]


def _ways(askers: Sequence[tuple[Api, RequestBatch]], kind: str) -> list[tuple[int, int]]:
    """Every way of asking, (asker, query), in turns over the askers."""
    counts = [len(api.query_names(kind)) for api, _ in askers]
    return [(n, q) for q in range(max(counts)) for n in range(len(askers)) if q < counts[n]]


def _ask(
    items: Items,
    askers: Sequence[tuple[Api, RequestBatch]],
    ways: Sequence[tuple[int, int]],
    rows: np.ndarray,
    asked: np.ndarray,
    seed: int,
) -> list[ParsedReply]:
    """The next query of each row; `voter` is the number of its way."""
    heard: list[ParsedReply] = []
    for n, (api, batch) in enumerate(askers):
        own = [(i, int(asked[i])) for i in rows if ways[asked[i]][0] == n]
        queries = [
            api.ask(items.questions[i], items.kind, items.classes, ways[way][1], seed)
            for i, way in own
        ]
        if queries:
            replies = api.replies(queries, batch)
            heard += [replace(one, voter=way) for one, (_, way) in zip(replies, own, strict=True)]
    return heard


def _posterior(
    items: Items, ways: Sequence[tuple[int, int]], said: Sequence[ParsedReply]
) -> Floats:
    names = tuple(f"{asker}/{query}" for asker, query in ways)
    queries = tuple(dict.fromkeys(one.asked.query for one in said))
    votes = votes_of(items.kind, items.questions, items.classes, names, queries, said)
    posterior: Floats = Hierarchical().estimate(votes).posterior
    return posterior
