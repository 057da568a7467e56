"""Parsed replies, query by query, and the votes made of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from steelyard.prompts import PromptedQuestion
from steelyard.types import ABSTAIN, Floats, Ints, Question, Votes
from steelyard.types.build_votes import candidates_of, open_votes, vote_order
from steelyard.types.task_kinds import KINDS

Logprobs: TypeAlias = tuple[tuple[str, float | None], ...]
"""Tokens with their natural log-probabilities; None for NaN."""


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """One query and the answer in its reply."""

    asked: PromptedQuestion
    answer: int  # a candidate's number, or ABSTAIN; 0 for an open answer
    reason: str  # why it abstains, else ""
    canonical: str = ""  # an open answer in canonical spelling
    text: str = ""  # the reply, unchanged
    probs: Floats | None = None  # (K,), probabilities of closed answers
    served_model: str = ""
    voter: int = 0  # number of the voter
    retryable: bool = False  # there was no reply; asking again may give one
    tokens: Logprobs = ()  # tokens of an open answer with ln P of each, if requested


def votes_of(
    kind: str,
    questions: Sequence[Question],
    classes: tuple[str, ...],
    voters: tuple[str, ...],
    queries: tuple[str, ...],
    replies: Sequence[ParsedReply],
) -> Votes:
    """Replies, in any order and not of every query, as votes about the questions.

    Distributions are kept if any answer has one; then an answer without a distribution is one-hot,
    and an abstention uniform.
    """
    ids = tuple(question.id for question in questions)
    row = {name: i for i, name in enumerate(ids)}
    number = {name: q for q, name in enumerate(queries)}
    columns = [(row[r.asked.id], r.voter, number[r.asked.query], r.answer) for r in replies]
    example, voter, query, answer = np.array(columns, dtype=np.int64).reshape(-1, 4).T
    texts = tuple(reply.text for reply in replies)
    reasons = tuple(reply.reason for reply in replies)
    if KINDS[kind].is_open:
        answers = [None if reply.answer == ABSTAIN else reply.canonical for reply in replies]
        return open_votes(ids, voters, queries, example, voter, query, answers, texts, reasons)
    order, _ = vote_order(example, voter, query)
    candidates = candidates_of(questions, len(classes))
    probs = None
    if any(reply.probs is not None for reply in replies):
        probs = _distributions(replies, candidates[example])[order]
    return Votes(
        ids=ids,
        voters=voters,
        queries=queries,
        example=example[order],
        voter=voter[order],
        query=query[order],
        answer=answer[order],
        candidates=candidates,
        classes=classes,
        probs=probs,
        texts=tuple(texts[i] for i in order),
        reasons=tuple(reasons[i] for i in order),
    )


def _distributions(replies: Sequence[ParsedReply], candidates: Ints) -> Floats:
    """Distribution of each reply over its candidates, (M, K)."""
    possible = np.arange(int(candidates.max())) < candidates[:, None]
    probs: Floats = possible / possible.sum(axis=1, keepdims=True)
    for m, reply in enumerate(replies):
        if reply.probs is not None:
            probs[m] = 0.0
            probs[m, : len(reply.probs)] = reply.probs
        elif reply.answer != ABSTAIN:
            probs[m] = np.arange(probs.shape[1]) == reply.answer
    return probs


def counted_reasons(reasons: Counter[str]) -> str:
    """Reasons with their counts, the most frequent first: "timeout 3, refused 1"."""
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count}" for reason, count in ranked)
