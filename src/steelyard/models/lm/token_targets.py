"""Answers that are taught word by word: a supervisor's certainty at each token of a student."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steelyard.errors import InputError
from steelyard.models.lm.completion_batches import AnswerReader, AnswerRows, lay_out
from steelyard.models.lm.prompt_tokens import fit_prompt, prompt_tokens
from steelyard.models.lm.word_alignment import answer_spans, bridge, token_strengths
from steelyard.objectives.losses import above_entropy, xent
from steelyard.objectives.losses.chunks import in_chunks
from steelyard.objectives.losses.precision import widened
from steelyard.objectives.state import OfTokens
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, TokenTargets, WordProbabilities


@dataclass(frozen=True, eq=False)
class WrittenRows(AnswerRows):
    """A row for each text that is taught, and the word of each of its tokens."""

    shares: Floats  # (F, K), of the examples that fit, by number of the text; rows sum to 1
    first: Ints  # (S,), where a row's answer begins in `word`
    word: Ints  # (T,), of the tokens of all texts, those of a text together
    log_probs: Floats  # (W,), ln P of the words
    left_out: int  # texts that are not taught
    entropy: Floats | None = None  # (S,), of the supervisors' lists


def encode_written(
    tokenizer: Any, asked: Sequence[PromptedQuestion], written: TokenTargets, limit: int
) -> WrittenRows:
    """A row for each text; equal texts of an example have a row each, for they have other words.

    A text is left out, and counted, if the tokenizer cannot spell it, or if it is too long together
    with the prompt without its item. Its share goes to the other texts of its example; an example
    without any is not among `fit`.

    Args:
        tokenizer: a fast one, of the model that is taught.
        asked: N prompts with the texts of their answers.
        written: of the same N examples, at least one text each; characters of its words are those
            of the answers.
        limit: most tokens of a row.

    Raises:
        InputError: an example has no text, a word's ln P is no log-probability, or no text can be
            taught.
        ConfigError: as `words.answer_spans`.
    """
    counts = np.bincount(written.example, minlength=len(asked))
    _check(asked, written, counts)
    starts = np.cumsum([0, *counts])
    spoken = [
        replace(one, answers=tuple(one.answers[c] for c in written.candidate[start : start + n]))
        for one, start, n in zip(asked, starts[:-1], counts, strict=True)
    ]
    tokens = answer_spans(tokenizer, spoken)
    joined, word = bridge(written.words, tokens.spans)
    places, sizes = tokens.spans.rows, np.diff(tokens.spans.rows)
    prompts = prompt_tokens(tokenizer, [one.prompt for one in spoken])
    rooms, lengths = limit - sizes, np.array([len(ids) for ids in prompts], dtype=np.int64)
    taught = tokens.spelled.copy()
    for s in np.flatnonzero(taught & (lengths[written.example] > rooms)):
        one = spoken[written.example[s]]
        taught[s] = fit_prompt(tokenizer, one, int(rooms[s])) is not None
    if not taught.any():
        garbled = int((~tokens.spelled).sum())
        raise InputError(
            f"None of {len(taught)} texts can be taught: the tokenizer cannot spell {garbled}, and "
            f"{len(taught) - garbled} are too long for {limit} tokens with their instruction. Use "
            "another `model`, or raise `max_tokens`."
        )
    mine = [
        start + np.flatnonzero(taught[start : start + n])
        for start, n in zip(starts[:-1], counts, strict=True)
    ]
    rows = lay_out(
        tokenizer,
        spoken,
        prompts,
        [[tokens.ids[places[s] : places[s + 1]].tolist() for s in own] for own in mine],
        [own - start for own, start in zip(mine, starts[:-1], strict=True)],
        limit,
    )
    shares = np.zeros((len(asked), int(counts.max(initial=1))))
    kept = np.flatnonzero(taught)
    number = np.arange(len(taught)) - starts[written.example]
    shares[written.example[kept], number[kept]] = written.share[kept]
    shares = shares[rows.fit] / shares[rows.fit].sum(axis=1, keepdims=True)
    return WrittenRows(
        **vars(rows),
        shares=shares,
        first=places[kept],
        word=word,
        log_probs=np.minimum(joined.log_probs, 0),
        left_out=len(taught) - len(kept),
        entropy=None if written.entropy is None else written.entropy[kept],
    )


def of_examples(written: TokenTargets, examples: Ints) -> TokenTargets:
    """The texts of some of the examples, ascending, which are numbered anew."""
    texts = np.flatnonzero(np.isin(written.example, examples))
    return TokenTargets(
        np.searchsorted(examples, written.example[texts]),
        written.candidate[texts],
        written.share[texts],
        written.words.take(texts),
        None if written.entropy is None else written.entropy[texts],
    )


def shifted(written: TokenTargets, characters: int) -> TokenTargets:
    """The same texts with so many characters in front of each, which belong to no word."""
    spans = written.words.spans
    moved = replace(spans, begin=spans.begin + characters, end=spans.end + characters)
    return replace(written, words=WordProbabilities(moved, written.words.log_probs))


def _check(asked: Sequence[PromptedQuestion], written: TokenTargets, counts: Ints) -> None:
    """What would otherwise be a wrong number, or an error that says nothing."""
    if not counts.all():
        name = asked[int(counts.argmin())].id
        raise InputError(
            f"Every example that is taught must have a text with words; {name!r} has none. Give it "
            "weight 0."
        )
    logs, spans = written.words.log_probs, written.words.spans
    bad = ~(np.isfinite(logs) & (logs <= 1e-6))  # rounding may leave ln P a little above 0
    if bad.any():
        w = int(bad.argmax())
        name = asked[written.example[spans.text[w]]].id
        raise InputError(
            f"ln P of a word must be a finite number, 0 at most; a word of {name!r} has {logs[w]}. "
            "Check the supervisor's log-probabilities."
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class WrittenReader(AnswerReader):
    """Gives the training loop minus the mean loss of each text's tokens, where others are ln P."""

    taught: WrittenRows
    objective: OfTokens

    def likelihoods(
        self, logits: Tensor, tokens: Tensor, is_answer: Tensor, divisor: Tensor, rows: Ints
    ) -> Tensor:
        taught, objective = self.taught, self.objective
        row, place = is_answer.nonzero(as_tuple=True)  # row by row, as the tokens of `word`
        logits, labels = logits[row, place], tokens[row, place]
        if objective.by_entropy:
            assert taught.entropy is not None  # as `teach_answers` sees to
            known = above_entropy(_xents(logits, labels), row, self._tensor(taught.entropy[rows]))
        else:
            known = self._strengths(logits, rows)
        each = in_chunks(objective.each, logits, labels, known)
        sums = torch.zeros(len(rows), dtype=each.dtype, device=each.device)
        return sums.index_add(0, row, -each) / divisor

    def _strengths(self, logits: Tensor, rows: Ints) -> Tensor:
        """`words.token_strengths` of the answers' tokens, (T,)."""
        taught, temperature = self.taught, self.objective.temperature
        sizes = self.encoded.lengths[rows] - taught.prompt[rows]
        starts = taught.first[rows] - (np.cumsum(sizes) - sizes)
        named, word = np.unique(
            taught.word[np.arange(len(logits)) + np.repeat(starts, sizes)], return_inverse=True
        )
        even = temperature is None  # then nobody asks how sure the student is
        return token_strengths(
            torch.zeros(len(logits), device=logits.device) if even else _tops(logits),
            self._tensor(word),
            self._tensor(taught.log_probs[named]),
            temperature or inf,
        )


@torch.no_grad()
def _xents(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each token, (T,)."""
    return in_chunks(xent, logits, labels)


@torch.no_grad()
def _tops(logits: Tensor) -> Tensor:
    """The largest probability at each place, (T,)."""
    return in_chunks(lambda some: torch.softmax(widened(some), dim=1).amax(dim=1), logits)
