"""The most probable answers of a language model, by beam search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from steelyard.models.lm.option_scores import Normalise
from steelyard.models.lm.prompt_tokens import (
    context_size,
    end_token,
    fit_prompt,
    padded,
    question_tokens,
)
from steelyard.models.lm.sampling import end_tokens
from steelyard.models.lm.sequence_scores import (
    BATCH_TOKENS,
    TOO_LONG,
    Scored,
    batches_by_length,
    score_texts,
)
from steelyard.models.lm.words_across_tokenizers import Bools
from steelyard.models.memory import TokenBudget
from steelyard.models.score import Precision, autocast, without_adapters
from steelyard.prompts import AnswerFormat, ParsedAnswer, PromptedQuestion, read
from steelyard.types import Floats, Ints


@dataclass(frozen=True, eq=False)
class NBest:
    """Distinct answers to N prompts in the order of the search, the most probable first."""

    scored: Scored
    ended: Bools  # (S,), false where the longest answer was reached before an end
    entropy: Floats  # (N,), of `beam_entropy`; nan for a prompt without answers
    reasons: tuple[str, ...]  # (N,), why a prompt has no answers, "" if it has

    def read(
        self,
        asked: Sequence[PromptedQuestion],
        answer_format: AnswerFormat | None,
        *,
        whole: bool = False,
    ) -> list[list[ParsedAnswer]]:
        """The parsed answers to each of N open questions; `whole` drops those without an end."""
        rows, texts = self.scored.rows, self.scored.texts
        return [
            [
                read(texts[s], question, answer_format, None if self.ended[s] else "length")
                for s in range(rows[i], rows[i + 1])
                if self.ended[s] or not whole
            ]
            for i, question in enumerate(asked)
        ]


def n_best(
    model: Any,
    tokenizer: Any,
    asked: Sequence[PromptedQuestion],
    *,
    beams: int = 5,
    max_new_tokens: int = 64,
    normalise: Normalise = "token",
    empty: str | None = None,
    precision: Precision = "fp32",
) -> NBest:
    """The answers that beam search finds, scored as `score_texts` does.

    Ranked by their sums, short answers win: no single list of slots may be as probable as "none",
    though all of them together are more so. Ranked by means, long ones do better. The search may
    end before the best mean is found: where the beam is full and no open hypothesis has a better
    mean so far.

    Hypotheses with equal texts (white space at the ends aside) are one answer, of which the first
    is kept; it is scored in the tokenizer's own spelling of its text.

    Args:
        model: a causal language model.
        tokenizer: a fast one.
        asked: N prompts.
        beams: hypotheses that are followed; at most so many are returned.
        max_new_tokens: longest answer, at most half of the model's context.
        normalise: rank by an answer's log-probability, or by that per token (`byte` too).
        empty: replaces an answer without a letter or a digit, such as " []" for slots; its
            log-probability is that of all the model wrote.
        precision: of matrix products.

    Source: Cui et al. 2024, arXiv:2406.03199 (beam of 5, up to 64 tokens, empty output; from the
        authors' code).
    """

    def shown(text: str) -> str:
        return text if empty is None or any(map(str.isalnum, text)) else empty

    context = context_size(model, tokenizer)
    longest = min(max_new_tokens, context // 2)
    fitted = [fit_prompt(tokenizer, question, context - longest) for question in asked]
    prompts = [short or question for question, short in zip(asked, fitted, strict=True)]
    rows = [i for i, short in enumerate(fitted) if short is not None]
    search = (beams, longest, normalise, precision)
    written = _search(model, tokenizer, [prompts[i] for i in rows], *search)
    answers: list[dict[str, tuple[str, bool]]] = [{} for _ in asked]
    for i, hypotheses in zip(rows, written, strict=True):
        for text, ended in hypotheses:
            answers[i].setdefault(shown(text).strip(), (text, ended))
    with_answers = [
        replace(question, answers=tuple(text for text, _ in texts.values()))
        for question, texts in zip(prompts, answers, strict=True)
    ]
    scored = score_texts(model, tokenizer, with_answers, precision=precision)
    pairs = zip(asked, prompts, strict=True)
    truncated = np.array([question.prompt != short.prompt for question, short in pairs], dtype=bool)
    example = np.repeat(np.arange(len(asked)), np.diff(scored.rows))
    return NBest(
        scored=replace(
            scored,
            texts=tuple(map(shown, scored.texts)),
            truncated=scored.truncated | truncated,
        ),
        ended=np.array([ended for texts in answers for _, ended in texts.values()], dtype=bool),
        entropy=beam_entropy(scored.log_probs, scored.lengths, example, len(asked)),
        reasons=tuple(TOO_LONG if short is None else "" for short in fitted),
    )


def beam_entropy(log_probs: Floats, lengths: Ints, example: Ints, size: int) -> Floats:
    """H = -sum_b pi_b ln P_b / len_b with pi = softmax of ln P over an example's answers, nats.

    Answers without a score (nan) are ignored; an example without any has nan.

    Args:
        log_probs: (S,), ln P of each answer.
        lengths: (S,), tokens of each answer, positive.
        example: (S,), number of the example of each answer.
        size: number of examples; the result is (size,), not negative.

    Source: Cui et al. 2024, arXiv:2406.03199 (from the authors' code).
    """
    scored = np.isfinite(log_probs)
    group, logs = example[scored], log_probs[scored]
    peak = np.full(size, -np.inf)
    np.maximum.at(peak, group, logs)
    power = np.exp(logs - peak[group])
    total = np.bincount(group, weights=power, minlength=size)
    sums = np.bincount(group, weights=-power * logs / lengths[scored], minlength=size)
    return np.asarray(np.divide(sums, total, out=np.full(size, np.nan), where=total > 0))


def _search(
    model: Any,
    tokenizer: Any,
    asked: Sequence[PromptedQuestion],
    beams: int,
    longest: int,
    normalise: Normalise,
    precision: Precision,
) -> list[list[tuple[str, bool]]]:
    """The texts that beam search writes behind each prompt, best first, and whether each ended."""
    from transformers import GenerationConfig

    inner = without_adapters(model)
    ends = sorted(end_tokens(model, tokenizer)) or [end_token(tokenizer)]
    # a new one: a checkpoint's generation_config may hold a repetition penalty or a temperature
    plain = GenerationConfig(
        num_beams=beams,
        num_return_sequences=beams,
        do_sample=False,
        length_penalty=0.0 if normalise == "sum" else 1.0,
        max_new_tokens=longest,
        eos_token_id=ends,
        pad_token_id=ends[0],
    )
    prompts = question_tokens(tokenizer, asked)
    sizes = np.array([len(prompt) for prompt in prompts], dtype=np.int64)
    replies: list[list[tuple[str, bool]]] = [[] for _ in asked]
    original, inner.generation_config = inner.generation_config, plain
    model.eval()
    behind = np.full(len(sizes), longest * beams)

    def plan(rows: Ints, size: int) -> list[Ints]:
        return batches_by_length(rows, sizes * beams, behind, 1, size)

    def search(batch: Ints) -> list[list[list[int]]]:
        """Tokens of the hypotheses of each prompt."""
        ids, mask = padded([prompts[i] for i in batch], left=True)
        with torch.inference_mode(), autocast(model.device.type, precision):
            rows = inner.generate(
                input_ids=ids.to(model.device), attention_mask=mask.to(model.device)
            )
        hypotheses = rows[:, ids.shape[1] :].tolist()
        return [hypotheses[n * beams : (n + 1) * beams] for n in range(len(batch))]

    def name(i: int) -> str:
        return f"item {asked[i].id!r} ({sizes[i]} tokens of its prompt, `beams: {beams}`)"

    try:
        done = TokenBudget(BATCH_TOKENS).each(np.arange(len(asked)), plan, search, name)
        for i, hypotheses in done:
            for row in hypotheses:
                stop = next((t for t, token in enumerate(row) if token in ends), len(row))
                text = _continuation(tokenizer, prompts[i], row[:stop])
                replies[i].append((text, stop < len(row)))
    finally:
        inner.generation_config = original
    return replies


def _continuation(tokenizer: Any, prompt: Sequence[int], ids: Sequence[int]) -> str:
    """The text of tokens that follow others; decoded alone they may lose a space in front."""
    tail = list(prompt[-8:])
    before, whole = tokenizer.batch_decode([tail, [*tail, *ids]], skip_special_tokens=True)
    return str(whole[len(before) :])
