"""Map a weak supervisor's word probabilities to the tokens of a student.

The two have different tokenizers, so that their tokens cannot be compared; the characters of the
text can. A supervisor's token log-probabilities are summed over words; a student's tokens share the
probability of their word.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from re import finditer
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.errors import ConfigError
from steelyard.models.lm.prompt_tokens import TAIL, answer_tokens, end_token
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, Spans, WordProbabilities

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of S answers, each with the end token last, and their characters."""

    ids: Ints  # (T,)
    spans: Spans
    spelled: Bools  # (S,), false where the tokenizer cannot write the text


def words_of(texts: Sequence[str]) -> Spans:
    """The words of each text, separated by white space; a text without a word is a single word.

    >>> spans = words_of(("set  alarm", ""))
    >>> spans.rows, spans.begin, spans.end
    (array([0, 2, 3]), array([0, 5, 0]), array([ 3, 10,  0]))
    """
    return _spans(
        [[m.span() for m in finditer(r"\S+", text)] or [(0, len(text))] for text in texts]
    )


def answer_spans(tokenizer: Any, prompted: Sequence[PromptedQuestion]) -> Tokens:
    """Tokens of every answer of N prompts as they follow the prompt, with the end token.

    The tokens are those of `prompt_tokens.answer_tokens`, their characters the offsets of the fast
    tokenizer: a character of several tokens belongs to each of them. A text that differs from its
    decoded tokens (white space and compatibility forms aside) is not `spelled`.

    Raises:
        ConfigError: the tokenizer has no end token, or gives no offsets.
    """
    end = end_token(tokenizer)
    if not tokenizer.is_fast:
        raise ConfigError(
            f"The tokenizer {type(tokenizer).__name__} gives no character offsets, which word "
            "probabilities need; use another `model`, or its fast tokenizer."
        )
    ids: list[list[int]] = []
    spans: list[list[tuple[int, int]]] = []
    for question in prompted:
        for tokens, characters in _answer_characters(tokenizer, question):
            ids.append([*tokens, end])
            spans.append(characters)
    texts = [text for question in prompted for text in question.answers]
    decoded = tokenizer.batch_decode([row[:-1] for row in ids]) if ids else []
    return Tokens(
        ids=np.array([token for row in ids for token in row], dtype=np.int64),
        spans=_spans(spans),
        spelled=np.array([_bare(a) == _bare(b) for a, b in zip(decoded, texts, strict=True)], bool),
    )


def _answer_characters(
    tokenizer: Any, question: PromptedQuestion
) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
    """Tokens of each answer without the end, and the characters of each token and of the end."""
    if not question.answers:
        return
    tail = question.whole[-TAIL:]
    tokens = answer_tokens(tokenizer, question.whole, question.answers)
    joined = _encoded(tokenizer, [tail + text for text in question.answers])
    separate = _encoded(tokenizer, question.answers)
    for k, text in enumerate(question.answers):
        start, shift = len(joined[k][0]) - len(tokens[k]), len(tail)
        offsets = joined[k][1][start:]
        if joined[k][0][start:] != tokens[k]:  # the answer was tokenised without the prompt
            offsets, shift = separate[k][1], 0
        characters = [(max(a - shift, 0), max(b - shift, 0)) for a, b in offsets]
        yield tokens[k], [*characters, (len(text), len(text))]


def word_log_probs(words: Spans, tokens: Spans, log_probs: Floats) -> WordProbabilities:
    """ln P(word) = sum of the log-probabilities of its tokens.

    White space before a word belongs to it, and the end token (with white space before it) to the
    last word. Words that share a token are joined, and a word without a token is joined to the word
    before it (the first: to the next): no probability is split or invented, and the words' sum is
    the text's. Words and tokens are of the same S texts, `log_probs` (T,) of the tokens, in nats.

    Source: Cui et al. 2024, arXiv:2406.03199 (from the authors' code, whose matching of word
        endings is replaced by character offsets).
    """
    word, joined, _ = _join(words, tokens)
    return _summed(joined, word, log_probs)


def bridge(words: WordProbabilities, tokens: Spans) -> tuple[WordProbabilities, Ints]:
    """A supervisor's words for the tokens of another tokenizer.

    Returns:
        The words, joined where they share a token, and the word of each token, (T,).
    """
    word, joined, group = _join(words.spans, tokens)
    return _summed(joined, group, words.log_probs), word


def _summed(words: Spans, index: Ints, log_probs: Floats) -> WordProbabilities:
    """Words with the sums of the log-probabilities that `index` assigns to them."""
    sums = np.bincount(index, weights=log_probs, minlength=len(words.begin))
    return WordProbabilities(words, np.asarray(sums, dtype=np.float64))


def _join(words: Spans, tokens: Spans) -> tuple[Ints, Spans, Ints]:
    """Words joined until every token is within a single word and every word has a token.

    Returns:
        The joined word of each token (T,), the joined words, the joined word of each word (W,).
    """
    size = len(words.begin)
    stride = 2 + max(int(part.end.max(initial=0)) for part in (words, tokens))
    base, text = stride * words.text, tokens.text
    # the first word that ends behind the token's beginning: white space belongs to the next word
    first = np.searchsorted(base + words.end, stride * text + tokens.begin, side="right")
    last = np.searchsorted(base + words.begin, stride * text + tokens.end, side="left") - 1
    first = np.clip(first, words.rows[text], words.rows[text + 1] - 1)
    last = np.clip(last, first, words.rows[text + 1] - 1)
    starts = np.bincount(first, minlength=size)
    closed = (starts - np.bincount(last, minlength=size)).cumsum() > 0  # joined to the next word
    before = np.concatenate([[False], closed[:-1]])
    empty = (starts == 0) & ~before
    seen = starts.cumsum()
    earlier = np.concatenate([[0], seen])[words.rows[:-1]]  # tokens of the texts before
    leading = empty & (seen == earlier[words.text])
    closed |= leading
    closed[:-1] |= (empty & ~leading)[1:]
    closed[words.rows[1:] - 1] = False
    opens = np.concatenate([[True], ~closed[:-1]])[:size]
    group = opens.cumsum() - 1
    rows = np.concatenate([group[words.rows[:-1]], [opens.sum()]])
    joined = Spans(rows, words.begin[opens], words.end[~closed])
    return group[first], joined, group


def _spans(texts: Sequence[Sequence[tuple[int, int]]]) -> Spans:
    table = np.array([span for row in texts for span in row], dtype=np.int64).reshape(-1, 2)
    return Spans(np.cumsum([0, *map(len, texts)]), table[:, 0], table[:, 1])


def _encoded(tokenizer: Any, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=True,
        return_attention_mask=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    return list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())
