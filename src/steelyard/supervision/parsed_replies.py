"""Answers, query by query, and the votes they make."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from steelyard.prompts import PromptedQuestion
from steelyard.types import ABSTAIN, Floats, Question, Votes
from steelyard.types.build_votes import candidates_of, open_votes, vote_order
from steelyard.types.task_kinds import KINDS

Logprobs: TypeAlias = tuple[tuple[str, float | None], ...]
"""Tokens with their natural log-probabilities; None for NaN."""


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """One query and what came of it."""

    asked: PromptedQuestion
    answer: int  # a candidate's number, or ABSTAIN; 0 for an open answer
    reason: str  # why it abstains, else ""
    canonical: str = ""  # an open answer in its one spelling
    text: str = ""  # as it came
    probs: Floats | None = None  # (K,) of closed answers
    served_model: str = ""
    voter: int = 0  # its number among those who were asked
    retryable: bool = False  # there was no reply; asking again may give one
    tokens: Logprobs = ()  # of an open answer, with ln P of each, if asked for


def votes_of(
    kind: str,
    questions: Sequence[Question],
    classes: tuple[str, ...],
    voters: tuple[str, ...],
    queries: tuple[str, ...],
    answered: Sequence[ParsedReply],
) -> Votes:
    """Answers, in any order and not of every query, as votes about the questions.

    Distributions are kept if any answer has one; an answer without is taken as one-hot, an
    abstention as uniform.
    """
    ids = tuple(question.id for question in questions)
    row = {name: i for i, name in enumerate(ids)}
    number = {name: q for q, name in enumerate(queries)}
    example = np.array([row[one.asked.id] for one in answered], dtype=np.int64)
    query = np.array([number[one.asked.query] for one in answered], dtype=np.int64)
    voter = np.array([one.voter for one in answered], dtype=np.int64)
    texts = tuple(one.text for one in answered)
    reasons = tuple(one.reason for one in answered)
    if KINDS[kind].is_open:
        given = [None if one.answer == ABSTAIN else one.canonical for one in answered]
        return open_votes(*(ids, voters, queries, example, voter, query, given, texts, reasons))
    order, _ = vote_order(example, voter, query)
    candidates = candidates_of(questions, len(classes))
    answer = np.array([one.answer for one in answered], dtype=np.int64)
    probs = None
    if any(one.probs is not None for one in answered):
        possible = np.arange(int(candidates.max())) < candidates[example][:, None]
        probs = possible / possible.sum(axis=1, keepdims=True)
        for m, one in enumerate(answered):
            if one.probs is not None:
                probs[m] = 0.0
                probs[m, : len(one.probs)] = one.probs
            elif one.answer != ABSTAIN:
                probs[m] = np.arange(probs.shape[1]) == one.answer
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
        probs=None if probs is None else probs[order],
        texts=tuple(texts[i] for i in order),
        reasons=tuple(reasons[i] for i in order),
    )


def counted(reasons: Counter[str]) -> str:
    """Reasons with their counts, the most frequent first: "timeout 3, refused 1"."""
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count}" for reason, count in ranked)
