"""Map a weak supervisor's word probabilities to the tokens of a student.

The two have different tokenizers, so that their tokens cannot be compared; the characters of the
text can. A supervisor's token log-probabilities are summed over words; a student's tokens share the
probability of the word that they stand in.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from re import finditer
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.errors import ConfigError
from steelyard.models.lm.prompt_tokens import answer_tokens, end_token
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, Spans, WordProbabilities

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of S answers, each with the end token last, and the characters they stand for."""

    ids: Ints  # (T,)
    spans: Spans
    spelled: Bools  # (S,), false where the tokenizer cannot write the text


def words_of(texts: Sequence[str]) -> Spans:
    """The words of each text: what stands between white space.

    A text without a word is one word, to which its end token belongs.

    >>> spans = words_of(("set  alarm", ""))
    >>> spans.rows, spans.begin, spans.end
    (array([0, 2, 3]), array([0, 5, 0]), array([ 3, 10,  0]))
    """
    return _spans(
        [[m.span() for m in finditer(r"\S+", text)] or [(0, len(text))] for text in texts]
    )


def answer_spans(tokenizer: Any, prompted: Sequence[PromptedQuestion]) -> Tokens:
    """Tokens of every answer of N prompts as they follow the prompt, with the end token.

    The tokens are those of `prompt_tokens.answer_tokens`. Their characters
    are the fast tokenizer's offsets: a character of several tokens belongs to each of them.

    A text that does not come back when its tokens are decoded (white space and compatibility forms
    aside) is not `spelled`: the tokenizer lost characters, or has a token for all that it lacks.

    Args:
        tokenizer: a fast one.
        prompted: N prompts, each with the texts that may follow it.

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
    texts = [text for question in prompted for text in question.answers]
    for question in prompted:
        if not question.answers:
            continue
        tail = question.prompt[-64:]
        tokens = answer_tokens(tokenizer, question.prompt, question.answers)
        whole = _encoded(tokenizer, [tail + text for text in question.answers])
        alone = _encoded(tokenizer, question.answers)
        for k, text in enumerate(question.answers):
            size, shift = len(tokens[k]), len(tail)
            offsets = whole[k][1][len(whole[k][0]) - size :]
            if whole[k][0][len(whole[k][0]) - size :] != tokens[k]:  # they were tokenised alone
                offsets, shift = alone[k][1], 0
            ids.append([*tokens[k], end])
            spans.append([(max(a - shift, 0), max(b - shift, 0)) for a, b in offsets])
            spans[-1].append((len(text), len(text)))
    decoded = tokenizer.batch_decode([row[:-1] for row in ids]) if ids else []
    return Tokens(
        ids=np.array([token for row in ids for token in row], dtype=np.int64),
        spans=_spans(spans),
        spelled=np.array([_bare(a) == _bare(b) for a, b in zip(decoded, texts, strict=True)], bool),
    )


def word_log_probs(words: Spans, tokens: Spans, log_probs: Floats) -> WordProbabilities:
    """ln P(word) = sum of the log-probabilities of its tokens.

    White space before a word belongs to it, and the end token (and what white space stands before
    it) to the last word. Words that a token joins are one, and so is a word that no token stands
    for with the word before it (the first: behind it): no probability is split or made up, and the
    words' sum is the text's.

    Args:
        words: of S texts.
        tokens: of the same texts.
        log_probs: (T,), of the tokens, in nats.

    Source: Cui et al. 2024, arXiv:2406.03199 (from the authors' code, whose matching of word
        endings is replaced by character offsets).
    """
    word, joined, _ = _join(words, tokens)
    sums = np.asarray(
        np.bincount(word, weights=log_probs, minlength=len(joined.begin)), dtype=np.float64
    )
    return WordProbabilities(joined, sums)


def bridge(words: WordProbabilities, tokens: Spans) -> tuple[WordProbabilities, Ints]:
    """A supervisor's words for the tokens of another tokenizer.

    Returns:
        The words, those that one of the tokens joins as one, and the word of each token, (T,).
    """
    word, joined, of = _join(words.spans, tokens)
    sums = np.asarray(
        np.bincount(of, weights=words.log_probs, minlength=len(joined.begin)), dtype=np.float64
    )
    return WordProbabilities(joined, sums), word


def _join(words: Spans, tokens: Spans) -> tuple[Ints, Spans, Ints]:
    """Words joined so far that every token stands in one and every word has a token.

    Returns:
        The joined word of each token (T,), the joined words, the joined word of each word (W,).
    """
    size = len(words.begin)
    stride = 2 + max(int(part.end.max(initial=0)) for part in (words, tokens))
    base, of = stride * words.text, tokens.text
    # the first word that ends behind the token's beginning: white space goes to what follows
    first = np.searchsorted(base + words.end, stride * of + tokens.begin, side="right")
    last = np.searchsorted(base + words.begin, stride * of + tokens.end, side="left") - 1
    first = np.clip(first, words.rows[of], words.rows[of + 1] - 1)
    last = np.clip(last, first, words.rows[of + 1] - 1)
    starts = np.bincount(first, minlength=size)
    closed = (starts - np.bincount(last, minlength=size)).cumsum() > 0  # to the word behind it
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
