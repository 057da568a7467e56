"""Ask adaptively: a few queries about every question first, then again where answers differ."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from steelyard.labelling.items import Items
from steelyard.reliability.hierarchical import Hierarchical
from steelyard.supervision.api.batch_jobs import BatchJobs
from steelyard.supervision.api.request_batch import RequestBatch
from steelyard.supervision.api.stored_replies import NOT_ASKED
from steelyard.supervision.api.supervisor import Api
from steelyard.supervision.parsed_replies import ParsedReply, votes_of
from steelyard.types import Floats, Ints

START = 2  # queries about every question, before any is asked again
ROUNDS = 4  # rounds in which as many queries are asked as there are questions
Asker: TypeAlias = tuple[Api, RequestBatch | BatchJobs]


def ask_in_rounds(
    items: Items, askers: Sequence[Asker], budget: int, seed: int
) -> list[list[ParsedReply]]:
    """At most `budget` queries: two about each question, then again where uncertainty is largest.

    A question's queries alternate over the askers: the first query of each, then the second ones.
    Between rounds of a quarter of the questions, `hierarchical` estimates the answers (with every
    asker's query as a voter) and `ask_next` chooses the next questions. The queries depend on the
    answers alone, so a run that resumes after a stop asks the same.

    Returns:
        Replies of each asker.
    """
    counts = [len(api.query_names(items.kind)) for api, _ in askers]
    voters = [(n, q) for q in range(max(counts)) for n in range(len(askers)) if q < counts[n]]
    size = len(items.questions)
    asked = np.zeros(size, dtype=np.int64)
    replies: list[ParsedReply] = []
    while budget > 0:
        if len(replies) == 0 or asked.min() < min(START, len(voters)):
            rows = np.flatnonzero(asked == asked.min())[:budget]
        else:
            names = tuple(f"{asker}/{query}" for asker, query in voters)
            queries = tuple(dict.fromkeys(reply.asked.query for reply in replies))
            votes = votes_of(items.kind, items.questions, items.classes, names, queries, replies)
            posterior = Hierarchical().estimate(votes).posterior
            rows = ask_next(posterior, asked, len(voters), min(budget, max(1, size // ROUNDS)))
        if len(rows) == 0:
            break
        latest = _ask(items, askers, voters, rows, asked, seed)
        replies += latest
        asked[rows] += 1
        budget -= len(rows)
        if any(reply.reason == NOT_ASKED for reply in latest):
            break
    return [
        [replace(reply, voter=0) for reply in replies if voters[reply.voter][0] == n]
        for n in range(len(askers))
    ]


def ask_next(posterior: Floats, asked: Ints, most: int | Ints, count: int) -> Ints:
    """Rows of the questions to ask once more: those whose best answer is least probable.

    Ties go to questions that were asked less often, then to lower rows. Questions that were asked
    `most` times are ignored; an empty array means that nothing remains to be asked. No question is
    ever settled before that: estimators are overconfident with few votes.

    Args:
        posterior: (N, K), P(answer | votes so far), rows sum to 1.
        asked: (N,), how often each was asked.
        most: how often each can be asked, one number or (N,).
        count: largest number of rows.

    Source: Lewis and Gale 1994, "A Sequential Algorithm for Training Text Classifiers", section 3
        (least certain first; there of examples to label, here of labels to ask for again).
        Compared with the expected gain of one more vote in benchmarks/adaptive.py.
    """
    best = posterior.max(axis=1)
    free = np.flatnonzero(asked < most)
    order = np.lexsort((free, asked[free], best[free]))
    rows: Ints = free[order][: max(count, 0)]
    return rows


def _ask(
    items: Items,
    askers: Sequence[Asker],
    voters: Sequence[tuple[int, int]],
    rows: np.ndarray,
    asked: np.ndarray,
    seed: int,
) -> list[ParsedReply]:
    """The replies to the next query of each row, with the number of their (asker, query)."""
    replies: list[ParsedReply] = []
    for n, (api, batch) in enumerate(askers):
        numbers = {i: int(asked[i]) for i in rows if voters[asked[i]][0] == n}
        queries = [
            api.ask(items.questions[i], items.kind, items.classes, voters[voter][1], seed)
            for i, voter in numbers.items()
        ]
        if queries:
            pairs = zip(api.replies(queries, batch), numbers.values(), strict=True)
            replies += [replace(reply, voter=voter) for reply, voter in pairs]
    return replies
