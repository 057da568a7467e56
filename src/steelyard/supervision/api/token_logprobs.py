"""How sure a server is of the words of its open answers, from the tokens of its replies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from steelyard.prompts import AnswerFormat
from steelyard.supervision.api.client import Logprobs
from steelyard.supervision.parsed_replies import ParsedReply
from steelyard.types import ABSTAIN, Floats, Spans, Votes, WordProbabilities

WHOLE = ("json", "slots", "text")
"""Readers whose answer is all of the reply, in another spelling."""


class Spoken(NamedTuple):
    """One answer with what its speaker thinks of its words."""

    words: WordProbabilities
    tokens: int


def with_words(votes: Votes, heard: Sequence[ParsedReply], reader: AnswerFormat | None) -> Votes:
    """The votes with the words of each voter's own answers, and the entropy of their list.

    A voter's list are its distinct answers to a question, whichever query gave them; of equal ones
    the first counts. Answers of others, and those whose reply has no log-probabilities, are nan.

    Args:
        votes: M votes on open questions.
        heard: the M answers they are made of, in the same order.
        reader: of the answers.
    """
    from steelyard.models.lm.beam_search import beam_entropy

    spoken: dict[tuple[int, int, str], Spoken] = {}
    for m, one in enumerate(heard):
        key = int(votes.example[m]), int(votes.voter[m]), one.canonical
        if one.answer != ABSTAIN and key not in spoken:
            said = spoken_words(one.canonical, one.text, one.tokens, whole=reader in WHOLE)
            if said is not None:
                spoken[key] = said
    voters = len(votes.voters)
    lists = np.array([i * voters + v for i, v, _ in spoken], dtype=np.int64)
    logs = np.array([one.words.log_probs.sum() for one in spoken.values()])
    lengths = np.array([one.tokens for one in spoken.values()], dtype=np.int64)
    entropy = beam_entropy(logs, lengths, lists, len(votes.ids) * voters)
    return replace(
        votes,
        word_probs=_of_candidates(votes, spoken),
        entropy=entropy[votes.example * voters + votes.voter],
    )


def spoken_words(answer: str, reply: str, tokens: Logprobs, *, whole: bool) -> Spoken | None:
    """ln P of each word of an answer, where it last stands in the reply, white space aside.

    Words that a token joins are one. An answer that is spelled otherwise in the reply is one word,
    as probable as all of the reply, if it is all that the reply says.

    Args:
        answer: in its one spelling.
        reply: as it came.
        tokens: of the reply, with their natural log-probabilities.
        whole: the answer is all that the reply says.

    Returns:
        None where the tokens are not those of the reply, or a log-probability is missing.
    """
    values = [value for _, value in tokens if value is not None]
    text = "".join(token for token, _ in tokens)
    if not tokens or len(values) < len(tokens) or text.strip() != reply.strip():
        return None
    ends = np.cumsum([len(token) for token, _ in tokens])
    own = np.array([c for c, sign in enumerate(answer) if not sign.isspace()], dtype=np.int64)
    there = np.array([c for c, sign in enumerate(text) if not sign.isspace()], dtype=np.int64)
    place = "".join(text[c] for c in there).rfind("".join(answer[c] for c in own))
    if place < 0 or not len(own):
        if not whole:
            return None
        return Spoken(_one_word(answer, sum(values)), len(tokens))
    return _where_it_stands(answer, own, there[place : place + len(own)], ends, np.array(values))


def _where_it_stands(
    answer: str, own: np.ndarray, there: np.ndarray, ends: np.ndarray, values: Floats
) -> Spoken:
    """Words of an answer whose characters `own` are the reply's characters `there`."""
    from steelyard.models.lm.word_alignment import word_log_probs, words_of

    begins = np.concatenate([[0], ends[:-1]])
    inside = np.flatnonzero((ends > there[0]) & (begins <= there[-1]))
    first = np.searchsorted(there, begins[inside])  # white space goes to what follows
    last = np.maximum(np.searchsorted(there, ends[inside]), first)
    begin = own[np.minimum(first, len(own) - 1)]
    end = np.where(last > first, own[np.maximum(last, 1) - 1] + 1, begin)
    spans = Spans(np.array([0, len(inside)]), begin, end)
    return Spoken(word_log_probs(words_of((answer,)), spans, values[inside]), len(inside))


def _of_candidates(
    votes: Votes, spoken: Mapping[tuple[int, int, str], Spoken]
) -> WordProbabilities:
    """Words of each vote's candidates in turn; one of nan where its voter did not say it."""
    parts = []
    for m, i in enumerate(votes.example.tolist()):
        for text in votes.candidate_texts[i]:
            said = spoken.get((i, int(votes.voter[m]), text))
            parts.append(_one_word(text, np.nan) if said is None else said.words)
    return WordProbabilities.stack(parts)


def _one_word(text: str, log_prob: float) -> WordProbabilities:
    spans = Spans(np.array([0, 1]), np.array([0]), np.array([len(text)]))
    return WordProbabilities(spans, np.array([log_prob]))
