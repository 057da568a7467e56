"""Replies that a language model writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steelyard.models.batches import micro_batches
from steelyard.models.lm.chat_template import open_thought
from steelyard.models.lm.inference import inference, read_on
from steelyard.models.lm.kv_cache import with_preallocated_cache
from steelyard.models.lm.prompt_tokens import context_size, fitted_prompts, padded
from steelyard.models.memory import TokenBudget
from steelyard.models.precision import Precision
from steelyard.prompts import PromptedQuestion
from steelyard.prompts.clean_reply import THOUGHT
from steelyard.types import Floats, Ints

BATCH_TOKENS = 16384  # tokens of prompts and replies in the cache at once


@dataclass(frozen=True, slots=True)
class SampledReply:
    """The reply of a model to a prompt."""

    text: str
    finish_reason: str  # "stop", "length", or "too long" for a prompt that does not fit
    truncated: bool = False  # whether the prompt's item was truncated


def sample_replies(
    model: Any,
    tokenizer: Any,
    asked: Sequence[PromptedQuestion],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    precision: Precision = "fp32",
) -> list[SampledReply]:
    """One reply to each prompt; equal prompts are read once and continued for each reply.

    A reply ends at the model's end token. Token t of a reply is the one at which the probability,
    cumulated in the vocabulary's order, exceeds u_t, with u_0, u_1, ... drawn from
    `default_rng(asked.seed)`: the other prompts of the batch change a reply only by the rounding of
    logits. Temperature 0 takes the most probable token; `top_p` samples from the fewest tokens of
    at least this probability.

    Source: Holtzman et al. 2020, arXiv:1904.09751 (`top_p`).
    """
    context = context_size(model, tokenizer)
    tokens = readable_prompts(tokenizer, asked, context, max_new_tokens)
    replies = [SampledReply("", "too long")] * len(asked)
    fit = [i for i, question in enumerate(asked) if question.whole in tokens]
    fit.sort(key=lambda i: (len(tokens[asked[i].whole][0]), asked[i].whole, i))
    costs = np.array([len(tokens[asked[i].whole][0]) + max_new_tokens for i in fit])
    options = (end_tokens(model, tokenizer), context, temperature, top_p)

    def write(rows: Ints) -> list[tuple[list[int], bool]]:
        part = [asked[fit[r]] for r in rows]
        prompts = list(dict.fromkeys(question.whole for question in part))
        prompt_of = np.array([prompts.index(question.whole) for question in part])
        draws = [np.random.default_rng(question.seed).random(max_new_tokens) for question in part]
        ids = [tokens[text][0] for text in prompts]
        return _continue(model, ids, prompt_of, np.stack(draws), *options)

    def name(r: int) -> str:
        read = len(tokens[asked[fit[r]].whole][0])
        return (
            f"item {asked[fit[r]].id!r} ({read} tokens of its prompt, `max_new_tokens: "
            f"{max_new_tokens}`)"
        )

    with inference(model, precision):
        done = TokenBudget(BATCH_TOKENS).each(
            np.arange(len(fit)), lambda rows, size: micro_batches(rows, costs, size), write, name
        )
        for r, (ids, ended) in done:
            i = fit[r]
            replies[i] = sampled_reply(tokenizer, asked[i], ids, ended, tokens[asked[i].whole][1])
    return replies


def readable_prompts(
    tokenizer: Any, asked: Sequence[PromptedQuestion], context: int, max_new_tokens: int
) -> dict[str, tuple[list[int], bool]]:
    """Tokens of each distinct prompt that leaves room for a reply, and whether it is truncated.

    Room is made for all of a reply, but at most for half of the `context`.
    """
    size = max(1, context - min(max_new_tokens, context // 2))
    distinct = list({question.whole: question for question in asked}.values())
    fitted, truncated = fitted_prompts(tokenizer, distinct, [size] * len(distinct))
    return {
        question.whole: (ids, bool(was_truncated))
        for question, ids, was_truncated in zip(distinct, fitted, truncated, strict=True)
        if ids is not None
    }


def sampled_reply(
    tokenizer: Any, question: PromptedQuestion, ids: Sequence[int], ended: bool, truncated: bool
) -> SampledReply:
    """The reply of tokens; the mark of a thought that the prompt opens stands before it."""
    opened = open_thought(question.after)
    text = f"<{opened}>" * bool(opened) + decoded(tokenizer, ids)
    return SampledReply(text, "stop" if ended else "length", truncated)


def decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of tokens without special ones; only marks of a thought stay, to be read past."""
    added = tokenizer.added_tokens_decoder
    marks = [n for n, i in enumerate(ids) if i in added and THOUGHT.fullmatch(added[i].content)]
    parts, start = [], 0
    for n in marks:
        parts += [tokenizer.decode(ids[start:n], skip_special_tokens=True), added[ids[n]].content]
        start = n + 1
    return "".join([*parts, tokenizer.decode(ids[start:], skip_special_tokens=True)])


def _continue(
    model: Any,
    prompts: Sequence[Sequence[int]],
    prompt_of: Ints,
    draws: Floats,
    ends: set[int],
    context: int,
    temperature: float,
    top_p: float,
) -> list[tuple[list[int], bool]]:
    """Tokens of R replies, and whether each ended.

    `prompt_of` (R,) is the prompt of each reply; `draws` (R, T) are in [0, 1); tokens in `ends` end
    a reply, and so does the `context`.
    """
    written: list[list[int]] = [[] for _ in prompt_of]
    ended = np.zeros(len(prompt_of), dtype=bool)
    ids, attention = (part.to(model.device) for part in padded(prompts, left=True))
    logits, cache = read_on(model, ids, attention, None, keep=1)
    index = torch.from_numpy(prompt_of).to(model.device)
    cache = with_preallocated_cache(cache, index, draws.shape[1])
    logits, attention = logits[:, -1].float()[index], attention[index]
    rows = np.arange(len(prompt_of))  # the replies that are not finished
    for t in range(draws.shape[1]):
        chosen = _choose(logits, draws[rows, t], temperature, top_p)
        unfinished = np.ones(len(rows), dtype=bool)
        for position, (row, token) in enumerate(zip(rows.tolist(), chosen.tolist(), strict=True)):
            if token in ends:
                ended[row], unfinished[position] = True, False
            else:
                written[row].append(token)
                size = len(prompts[int(prompt_of[row])]) + len(written[row])
                unfinished[position] = size < context
        if t + 1 == draws.shape[1] or not unfinished.any():
            break
        if not unfinished.all():
            stay = torch.from_numpy(np.flatnonzero(unfinished)).to(model.device)
            cache.reorder_cache(stay)
            attention, chosen, rows = attention[stay], chosen[stay], rows[unfinished]
        attention = torch.cat([attention, attention.new_ones(len(rows), 1)], dim=1)
        logits, cache = read_on(model, chosen[:, None], attention, cache, keep=1)
        logits = logits[:, -1].float()
    return list(zip(written, ended.tolist(), strict=True))


def _choose(logits: Tensor, draws: Floats, temperature: float, top_p: float) -> Tensor:
    """The next token of each row, (B,)."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = torch.softmax(logits / temperature, dim=-1)
    if top_p < 1:
        ranked, tokens = probs.sort(dim=-1, descending=True, stable=True)
        before = ranked.cumsum(dim=-1, dtype=torch.float64) - ranked
        probs = torch.zeros_like(probs).scatter(-1, tokens, ranked.where(before < top_p, 0.0))
    passed = probs.cumsum(dim=-1, dtype=torch.float64)
    total = passed[:, -1:]
    level = torch.from_numpy(draws).to(logits.device)[:, None] * total
    level = torch.minimum(level, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(passed, level, right=True)[:, 0]


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a reply: the model's and the tokenizer's."""
    stops = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends = set(stops if isinstance(stops, list) else [stops]) | {tokenizer.eos_token_id}
    return ends - {None}
