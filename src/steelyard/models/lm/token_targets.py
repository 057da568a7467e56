"""Answers that are learned word by word: the supervisors' probabilities at a student's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.models.lm.completion_batches import (
    AnswerRows,
    RowWords,
    lay_out,
    prompt_sizes,
)
from steelyard.models.lm.prompt_tokens import fit_prompt, fitted_prompts, question_tokens
from steelyard.models.lm.words_across_tokenizers import Bools, Tokens, answer_spans, bridge
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, TokenTargets, WordProbabilities


@dataclass(frozen=True, eq=False)
class TokenTargetRows(AnswerRows):
    """A row for each text that is learned, with the words of its tokens."""

    shares: Floats = field(kw_only=True)  # (F, K), of the examples that fit
    dropped: int = field(kw_only=True)  # number of texts that are not learned


def encode_token_targets(
    tokenizer: Any, prompted: Sequence[PromptedQuestion], targets: TokenTargets, limit: int
) -> TokenTargetRows:
    """A row for each text; equal texts of an example have a row each, since their words differ.

    A text is dropped, and counted, if the tokenizer cannot spell it, or if it is too long together
    with the prompt without its item. Its share goes to the other texts of its example; an example
    without any is not in `fit`.

    Args:
        tokenizer: a fast one, of the model that is trained.
        prompted: N prompts with the texts of their answers.
        targets: of the same N examples, at least one text each; characters of its words are those
            of the answers.
        limit: most tokens of a row.

    Raises:
        InputError: an example has no text, a word's ln P is no log-probability, or no text can be
            learned.
        ConfigError: as `word_alignment.answer_spans`.
    """
    counts = np.bincount(targets.example, minlength=len(prompted))
    _check(prompted, targets, counts)
    starts = np.cumsum(counts) - counts
    prompted = [
        replace(
            question,
            answers=tuple(question.answers[c] for c in targets.candidate[start : start + n]),
        )
        for question, start, n in zip(prompted, starts, counts, strict=True)
    ]
    tokens = answer_spans(tokenizer, prompted)
    usable = _usable(tokenizer, prompted, targets, tokens, limit)
    rows = _rows(tokenizer, prompted, tokens, usable, starts, limit)
    kept = np.flatnonzero(usable)
    shares = np.zeros((len(prompted), int(counts.max(initial=1))))
    number = np.arange(len(usable)) - starts[targets.example]
    shares[targets.example[kept], number[kept]] = targets.share[kept]
    joined, word = bridge(targets.words, tokens.spans)
    words = RowWords(
        first=tokens.spans.rows[kept],
        word=word,
        log_probs=np.minimum(joined.log_probs, 0),
        entropy=None if targets.entropy is None else targets.entropy[kept],
    )
    return TokenTargetRows(
        **{**vars(rows), "words": words},
        shares=shares[rows.fit] / shares[rows.fit].sum(axis=1, keepdims=True),
        dropped=len(usable) - len(kept),
    )


def _usable(
    tokenizer: Any,
    prompted: Sequence[PromptedQuestion],
    targets: TokenTargets,
    tokens: Tokens,
    limit: int,
) -> Bools:
    """Which texts can be spelled and fit behind their prompt, (S,).

    Raises:
        InputError: none.
    """
    sizes = np.diff(tokens.spans.rows)
    prompts = question_tokens(tokenizer, prompted)
    lengths = np.array([len(ids) for ids in prompts], dtype=np.int64)[targets.example]
    usable = tokens.spelled.copy()
    for s in np.flatnonzero(usable & (lengths > limit - sizes)):
        question = prompted[targets.example[s]]
        usable[s] = fit_prompt(tokenizer, question, int(limit - sizes[s])) is not None
    if not usable.any():
        unspelled = int((~tokens.spelled).sum())
        raise InputError(
            f"None of {len(usable)} texts can be learned: the tokenizer cannot spell {unspelled}, "
            f"and {len(usable) - unspelled} are too long for {limit} tokens with their "
            "instruction. Use another `model`, or raise `max_tokens`."
        )
    return usable


def _rows(
    tokenizer: Any,
    prompted: Sequence[PromptedQuestion],
    tokens: Tokens,
    usable: Bools,
    starts: Ints,
    limit: int,
) -> AnswerRows:
    """A row for each usable text, numbered within its example."""
    numbers = [np.flatnonzero(part) for part in np.split(usable, starts[1:])]
    edges = tokens.spans.rows
    texts = [
        [tokens.ids[edges[s] : edges[s + 1]].tolist() for s in start + number]
        for start, number in zip(starts, numbers, strict=True)
    ]
    fitted = fitted_prompts(tokenizer, prompted, prompt_sizes(texts, limit))
    return lay_out(tokenizer, *fitted, texts, numbers)


def of_examples(targets: TokenTargets, examples: Ints) -> TokenTargets:
    """The texts of some examples (ascending), which are renumbered."""
    texts = np.flatnonzero(np.isin(targets.example, examples))
    return TokenTargets(
        np.searchsorted(examples, targets.example[texts]),
        targets.candidate[texts],
        targets.share[texts],
        targets.words.take(texts),
        None if targets.entropy is None else targets.entropy[texts],
    )


def shifted(targets: TokenTargets, characters: int) -> TokenTargets:
    """The same texts behind a prefix of so many characters, which belongs to no word."""
    spans = targets.words.spans
    moved = replace(spans, begin=spans.begin + characters, end=spans.end + characters)
    return replace(targets, words=WordProbabilities(moved, targets.words.log_probs))


def _check(prompted: Sequence[PromptedQuestion], targets: TokenTargets, counts: Ints) -> None:
    """Refuse examples without texts, and numbers that are no log-probabilities."""
    if not counts.all():
        name = prompted[int(counts.argmin())].id
        raise InputError(
            f"Every training example must have a text with words; {name!r} has none. Give it "
            "weight 0."
        )
    logs, spans = targets.words.log_probs, targets.words.spans
    bad = ~(np.isfinite(logs) & (logs <= 1e-6))  # rounding may leave ln P a little above 0
    if bad.any():
        w = int(bad.argmax())
        name = prompted[targets.example[spans.text[w]]].id
        raise InputError(
            f"ln P of a word must be a finite number, 0 at most; a word of {name!r} has {logs[w]}. "
            "Check the supervisor's log-probabilities."
        )
