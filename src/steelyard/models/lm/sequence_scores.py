"""Log-probabilities of given texts under a language model, by token and by word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from steelyard.models.lm.inference import read_on
from steelyard.models.lm.option_scores import Normalise, normalised
from steelyard.models.lm.output_layer import float32_output
from steelyard.models.lm.prompt_tokens import context_size, fitted_prompts, padded
from steelyard.models.lm.words_across_tokenizers import (
    Bools,
    Tokens,
    answer_spans,
    word_log_probs,
    words_of,
)
from steelyard.models.memory import TokenBudget
from steelyard.models.precision import Precision, autocast
from steelyard.models.score import without_adapters
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, WordProbabilities

BATCH_TOKENS = 8192  # padded tokens of a forward pass, or of a search's caches
BATCH_LOGITS = 2**26  # entries of the logits of one forward pass: 256 MiB

UNSPELLED = "the tokenizer cannot spell it"
TOO_LONG = "too long"


@dataclass(frozen=True, eq=False)
class Scored:
    """Log-probabilities of S texts and their ends behind N prompts."""

    texts: tuple[str, ...]  # (S,), those behind prompt i are texts[rows[i]:rows[i + 1]]
    rows: Ints  # (N + 1,)
    log_probs: Floats  # (S,), ln P(text, end | prompt); nan where there is a reason
    tokens: Tokens  # of the texts
    token_log_probs: Floats  # (T,), nan where there is a reason
    reasons: tuple[str, ...]  # (S,), why a text has no score; "" if it has one
    truncated: Bools  # (N,), whether the prompt's item was truncated

    @property
    def lengths(self) -> Ints:
        """Tokens of each text, with the end token, (S,)."""
        return np.diff(self.tokens.spans.rows)

    def table(self, normalise: Normalise = "sum") -> Floats:
        """Score of each prompt's texts, (N, K); -inf beyond them, nan where there is a reason.

        The score is ln P(text, end | prompt), or that over the text's tokens or bytes.
        """
        counts = np.diff(self.rows)
        table = np.full((len(counts), counts.max(initial=0)), -np.inf)
        sizes = np.array([len(text.strip().encode()) for text in self.texts], dtype=np.int64)
        scores = normalised(self.log_probs, self.lengths, sizes, normalise)
        table[np.arange(table.shape[1]) < counts[:, None]] = scores
        return table

    def words(self) -> WordProbabilities:
        """Log-probabilities of the texts' words; nan where there is a reason."""
        return word_log_probs(words_of(self.texts), self.tokens.spans, self.token_log_probs)


def score_texts(
    model: Any,
    tokenizer: Any,
    asked: Sequence[PromptedQuestion],
    *,
    precision: Precision = "fp32",
    max_tokens: int | None = None,
) -> Scored:
    """Score every text behind its prompt, token by token, with the end behind it.

    A prompt is read once and its keys and values serve all its texts. If it is too long for its
    longest text, its item is truncated. A text that the tokenizer, a fast one, cannot spell has no
    score: the score would be that of another text. The texts are the `answers` of `asked`, with
    the white space that belongs to them. `max_tokens` limits prompt and text together; None takes
    the model's context.

    Raises:
        ConfigError: as `word_alignment.answer_spans`.
    """
    tokens = answer_spans(tokenizer, asked)
    limit = min(context_size(model, tokenizer), max_tokens or 2**31)
    rows = np.cumsum([0, *(len(question.answers) for question in asked)])
    lengths = np.diff(tokens.spans.rows)
    longest = [int(part.max(initial=0)) for part in np.split(lengths, rows[1:-1])][: len(asked)]
    fitted, truncated = fitted_prompts(tokenizer, asked, [limit - size for size in longest])
    prompts = [prompt or [] for prompt in fitted]
    example = np.repeat(np.arange(len(asked)), np.diff(rows))
    reasons = np.where(tokens.spelled, "", UNSPELLED).astype(object)
    reasons[np.array([prompt is None for prompt in fitted], dtype=bool)[example]] = TOO_LONG
    logs = np.full(len(tokens.ids), np.nan)
    model.eval()
    sizes = np.array([len(prompt) for prompt in prompts], dtype=np.int64)[example]
    vocabulary = int(without_adapters(model).config.vocab_size)

    def plan(rows: Ints, size: int) -> list[Ints]:
        return batches_by_length(rows, sizes, lengths, vocabulary, size)

    def read(batch: Ints) -> list[Floats]:
        named, prompt_of = np.unique(example[batch], return_inverse=True)
        answers = [tokens.ids[slice(*tokens.spans.rows[s : s + 2])] for s in batch]
        log_probs = _token_log_probs(model, [prompts[i] for i in named], prompt_of, answers)
        return np.split(log_probs, np.cumsum(lengths[batch])[:-1])

    def name(s: int) -> str:
        return f"item {asked[example[s]].id!r} ({sizes[s] + lengths[s]} tokens)"

    with torch.inference_mode(), autocast(model, precision), float32_output(model):
        scored = np.flatnonzero(reasons == "")
        for s, log_probs in TokenBudget(BATCH_TOKENS).each(scored, plan, read, name):
            logs[slice(*tokens.spans.rows[s : s + 2])] = log_probs
    sums = np.bincount(tokens.spans.text, weights=logs, minlength=len(lengths))
    return Scored(
        texts=tuple(text for question in asked for text in question.answers),
        rows=rows,
        log_probs=np.asarray(sums, dtype=np.float64),
        tokens=tokens,
        token_log_probs=logs,
        reasons=tuple(reasons),
        truncated=truncated,
    )


def _token_log_probs(
    model: Any, prompts: Sequence[Sequence[int]], prompt_of: Ints, answers: Sequence[Ints]
) -> Floats:
    """ln P of every token of R answers; `prompt_of` (R,) is the prompt of each."""
    ids, attention = (part.to(model.device) for part in padded(prompts, left=True))
    first, cache = read_on(model, ids, attention, None, keep=1)
    index = torch.from_numpy(prompt_of).to(model.device)
    targets, is_answer = (part.to(model.device) for part in padded(answers, left=False))
    logits = first[:, -1:][index]
    if targets.shape[1] > 1:
        cache.batch_select_indices(index)
        attention = torch.cat([attention[index], is_answer[:, :-1]], dim=1)
        rest, _ = read_on(model, targets[:, :-1], attention, cache)
        logits = torch.cat([logits, rest], dim=1)
    wanted = is_answer.bool()
    logs = -torch.nn.functional.cross_entropy(
        logits[wanted].float(), targets[wanted], reduction="none"
    )
    return logs.double().cpu().numpy()


def batches_by_length(
    rows: Ints, before: Ints, behind: Ints, vocabulary: int, tokens: int = BATCH_TOKENS
) -> list[Ints]:
    """Numbers of rows of like length, as many as fit into one forward pass of so many tokens.

    `before` and `behind` are the tokens of each row's prompt and text, `vocabulary` the entries of
    a token's logits.
    """
    parts: list[list[int]] = []
    widest = longest = 0
    entries = BATCH_LOGITS * tokens // BATCH_TOKENS
    for row in rows[np.lexsort((rows, before[rows]))].tolist():
        widest, longest = max(widest, int(before[row])), max(longest, int(behind[row]))
        count = len(parts[-1]) + 1 if parts else 0
        full = (widest + longest) * count > tokens
        if not parts or full or longest * vocabulary * count > entries:
            parts.append([])
            widest, longest = int(before[row]), int(behind[row])
        parts[-1].append(row)
    return [np.array(part) for part in parts]
