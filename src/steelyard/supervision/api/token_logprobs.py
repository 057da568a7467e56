"""Log-probabilities of the words of a server's open answers, from the tokens of its replies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from steelyard.prompts import AnswerFormat
from steelyard.supervision.parsed_replies import Logprobs, ParsedReply
from steelyard.types import ABSTAIN, Floats, Spans, Votes, WordProbabilities

WHOLE = ("json", "slots", "text")
"""Answer formats in which the answer is the whole reply, in another spelling."""


class AnswerWords(NamedTuple):
    """One answer with the log-probabilities of its words, and the number of its tokens."""

    words: WordProbabilities
    tokens: int


def with_word_probs(
    votes: Votes, replies: Sequence[ParsedReply], answer_format: AnswerFormat | None
) -> Votes:
    """The votes with the word probabilities of each voter's answers, and the entropy of their list.

    A voter's list holds its distinct answers to a question, whichever query gave them; of equal
    answers the first counts. Answers of other voters, and those whose reply has no
    log-probabilities, are nan. The M votes are on open questions, made of the M replies in order.
    """
    from steelyard.models.lm.beam_search import beam_entropy

    by_answer: dict[tuple[int, int, str], AnswerWords] = {}
    for m, reply in enumerate(replies):
        key = int(votes.example[m]), int(votes.voter[m]), reply.canonical
        if reply.answer != ABSTAIN and key not in by_answer:
            whole = answer_format in WHOLE
            words = answer_words(reply.canonical, reply.text, reply.tokens, whole=whole)
            if words is not None:
                by_answer[key] = words
    voters = len(votes.voters)
    lists = np.array([i * voters + v for i, v, _ in by_answer], dtype=np.int64)
    logs = np.array([answer.words.log_probs.sum() for answer in by_answer.values()])
    lengths = np.array([answer.tokens for answer in by_answer.values()], dtype=np.int64)
    entropy = beam_entropy(logs, lengths, lists, len(votes.ids) * voters)
    return replace(
        votes,
        word_probs=_candidate_words(votes, by_answer),
        entropy=entropy[votes.example * voters + votes.voter],
    )


def answer_words(answer: str, reply: str, tokens: Logprobs, *, whole: bool) -> AnswerWords | None:
    """ln P of each word of an answer, at its last occurrence in the reply, ignoring white space.

    Words that share a token are joined. An answer with another spelling in the reply is one word,
    as probable as the whole reply, if the reply holds nothing else.

    Args:
        answer: in canonical spelling.
        reply: the server's text, unchanged.
        tokens: the reply's tokens with their natural log-probabilities.
        whole: whether the reply holds nothing but the answer.

    Returns:
        None where the tokens are not those of the reply, or a log-probability is missing.
    """
    values = [value for _, value in tokens if value is not None]
    text = "".join(token for token, _ in tokens)
    if not tokens or len(values) < len(tokens) or text.strip() != reply.strip():
        return None
    ends = np.cumsum([len(token) for token, _ in tokens])
    inner = np.array([c for c, sign in enumerate(answer) if not sign.isspace()], dtype=np.int64)
    there = np.array([c for c, sign in enumerate(text) if not sign.isspace()], dtype=np.int64)
    start = "".join(text[c] for c in there).rfind("".join(answer[c] for c in inner))
    if start < 0 or not len(inner):
        if not whole:
            return None
        return AnswerWords(_single_word(answer, sum(values)), len(tokens))
    return _aligned(answer, inner, there[start : start + len(inner)], ends, np.array(values))


def _aligned(
    answer: str, inner: np.ndarray, there: np.ndarray, ends: np.ndarray, values: Floats
) -> AnswerWords:
    """Words of an answer whose characters `inner` are the reply's characters `there`."""
    from steelyard.models.lm.words_across_tokenizers import word_log_probs, words_of

    begins = np.concatenate([[0], ends[:-1]])
    inside = np.flatnonzero((ends > there[0]) & (begins <= there[-1]))
    first = np.searchsorted(there, begins[inside])  # white space belongs to what follows
    last = np.maximum(np.searchsorted(there, ends[inside]), first)
    begin = inner[np.minimum(first, len(inner) - 1)]
    end = np.where(last > first, inner[np.maximum(last, 1) - 1] + 1, begin)
    spans = Spans(np.array([0, len(inside)]), begin, end)
    return AnswerWords(word_log_probs(words_of((answer,)), spans, values[inside]), len(inside))


def _candidate_words(
    votes: Votes, by_answer: Mapping[tuple[int, int, str], AnswerWords]
) -> WordProbabilities:
    """Words of each vote's candidates, vote by vote; nan where its voter did not give them."""
    parts = []
    for m, i in enumerate(votes.example.tolist()):
        for text in votes.candidate_texts[i]:
            answer = by_answer.get((i, int(votes.voter[m]), text))
            parts.append(_single_word(text, np.nan) if answer is None else answer.words)
    return WordProbabilities.stack(parts)


def _single_word(text: str, log_prob: float) -> WordProbabilities:
    spans = Spans(np.array([0, 1]), np.array([0]), np.array([len(text)]))
    return WordProbabilities(spans, np.array([log_prob]))
