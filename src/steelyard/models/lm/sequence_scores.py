"""How probable a language model finds given texts, token by token and word by word."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steelyard.models.lm.option_scores import Normalise, inner_of
from steelyard.models.lm.prompt_tokens import context_size, fit_prompt, prompt_tokens
from steelyard.models.lm.word_alignment import Tokens, answer_spans, word_log_probs, words_of
from steelyard.models.score import Precision, autocast
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints, WordProbabilities

Bools = npt.NDArray[np.bool_]
BATCH_TOKENS = 8192  # padded tokens of a forward pass, or of a search's caches
BATCH_LOGITS = 2**26  # entries of the logits of one forward pass: 256 MiB

UNSPELLED = "the tokenizer cannot spell it"
TOO_LONG = "too long"


@dataclass(frozen=True, eq=False)
class Scored:
    """How probable a model finds S texts and their ends behind N prompts."""

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

        The score is ln P(text, end | prompt), or with `mean` that over the text's tokens.
        """
        counts = np.diff(self.rows)
        table = np.full((len(counts), counts.max(initial=0)), -np.inf)
        scores = self.log_probs / self.lengths if normalise == "mean" else self.log_probs
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
    longest text, its item is truncated. A text that the tokenizer cannot spell has no score: the
    score would be that of another text.

    Args:
        model: a causal language model.
        tokenizer: its own, a fast one.
        asked: N prompts; their `answers` are the texts, with the white space that belongs to them.
        precision: of matrix products.
        max_tokens: of prompt and text together; None takes the model's context.

    Raises:
        ConfigError: as `words.answer_spans`.
    """
    tokens = answer_spans(tokenizer, asked)
    limit = min(context_size(model, tokenizer), max_tokens or 2**31)
    rows = np.cumsum([0, *(len(question.answers) for question in asked)])
    lengths = np.diff(tokens.spans.rows)
    reasons = np.where(tokens.spelled, "", UNSPELLED).astype(object)
    prompts: list[list[int]] = []
    truncated = np.zeros(len(asked), dtype=bool)
    for i, question in enumerate(asked):
        part = slice(rows[i], rows[i + 1])
        fitted = fit_prompt(tokenizer, question, limit - int(lengths[part].max(initial=0)))
        if fitted is None:
            reasons[part] = TOO_LONG
        else:
            truncated[i] = fitted.prompt != question.prompt
        prompts.append([] if fitted is None else prompt_tokens(tokenizer, [fitted.prompt])[0])
    logs = np.full(len(tokens.ids), np.nan)
    example = np.repeat(np.arange(len(asked)), np.diff(rows))
    todo = np.flatnonzero(reasons == "")
    model.eval()
    sizes = np.array([len(prompt) for prompt in prompts], dtype=np.int64)[example]
    for batch in like_sized(todo, sizes, lengths, int(inner_of(model).config.vocab_size)):
        named, of = np.unique(example[batch], return_inverse=True)
        positions = [np.arange(*tokens.spans.rows[s : s + 2]) for s in batch]
        with torch.inference_mode(), autocast(model.device.type, precision):
            log_probs = _follow(
                model, [prompts[i] for i in named], of, [tokens.ids[span] for span in positions]
            )
        logs[np.concatenate(positions)] = log_probs
    return Scored(
        texts=tuple(text for question in asked for text in question.answers),
        rows=rows,
        log_probs=np.asarray(
            np.bincount(tokens.spans.text, weights=logs, minlength=len(lengths)), dtype=np.float64
        ),
        tokens=tokens,
        token_log_probs=logs,
        reasons=tuple(reasons),
        truncated=truncated,
    )


def _follow(
    model: Any, prompts: Sequence[Sequence[int]], of: Ints, answers: Sequence[Ints]
) -> Floats:
    """ln P of every token of the answers, one after the other.

    Args:
        model: a causal language model.
        prompts: P token sequences.
        of: (R,), the prompt of each answer.
        answers: R token sequences, at least one token each.
    """
    ids, attention = (part.to(model.device) for part in padded(prompts, left=True))
    out = _read(model, ids, attention, None, keep=1)
    index = torch.from_numpy(of).to(model.device)
    targets, is_answer = (part.to(model.device) for part in padded(answers, left=False))
    logits = out.logits[:, -1:][index]
    if targets.shape[1] > 1:
        out.past_key_values.batch_select_indices(index)
        attention = torch.cat([attention[index], is_answer[:, :-1]], dim=1)
        rest = _read(model, targets[:, :-1], attention, out.past_key_values, keep=None).logits
        logits = torch.cat([logits, rest], dim=1)
    wanted = is_answer.bool()
    logs = -torch.nn.functional.cross_entropy(
        logits[wanted].float(), targets[wanted], reduction="none"
    )
    return logs.double().cpu().numpy()


def _read(model: Any, ids: Tensor, attention: Tensor, cache: Any, keep: int | None) -> Any:
    """A forward pass of what follows the cache."""
    parameters = inspect.signature(inner_of(model).forward).parameters
    options: dict[str, Any] = {}
    if "logits_to_keep" in parameters and keep:
        options["logits_to_keep"] = keep
    if "position_ids" in parameters:
        options["position_ids"] = (attention.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    return model(
        input_ids=ids, attention_mask=attention, past_key_values=cache, use_cache=True, **options
    )


def padded(sequences: Sequence[Sequence[int] | Ints], left: bool) -> tuple[Tensor, Tensor]:
    """Token ids and their mask, (rows, longest)."""
    width = max(map(len, sequences))
    lengths = np.array([len(ids_of) for ids_of in sequences])[:, None]
    position = np.arange(width)
    mask = position >= width - lengths if left else position < lengths
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(ids_of, dtype=np.int64) for ids_of in sequences])
    return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def like_sized(rows: Ints, before: Ints, behind: Ints, vocabulary: int) -> list[Ints]:
    """Rows of like length, as many as go into one forward pass.

    Args:
        rows: (R,) numbers.
        before: tokens of each row's prompt.
        behind: tokens of each row's text.
        vocabulary: entries of a token's logits.
    """
    parts: list[list[int]] = []
    widest = longest = 0
    for row in rows[np.lexsort((rows, before[rows]))].tolist():
        widest, longest = max(widest, int(before[row])), max(longest, int(behind[row]))
        count = len(parts[-1]) + 1 if parts else 0
        full = (widest + longest) * count > BATCH_TOKENS
        if not parts or full or longest * vocabulary * count > BATCH_LOGITS:
            parts.append([])
            widest, longest = int(before[row]), int(behind[row])
        parts[-1].append(row)
    return [np.array(part) for part in parts]
