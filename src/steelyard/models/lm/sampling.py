"""Replies that a language model writes."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steelyard.models.encode import CHARACTERS_PER_TOKEN
from steelyard.models.lm.inference import inference
from steelyard.models.lm.kv_cache import with_preallocated_cache
from steelyard.models.lm.option_scores import inner_of
from steelyard.models.lm.prompt_tokens import context_size, fit_prompt, prompt_tokens
from steelyard.models.score import Precision
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, Ints

BATCH_TOKENS = 16384  # of prompts and replies that are held in the cache at once


@dataclass(frozen=True, slots=True)
class SampledReply:
    """What a model wrote behind a prompt."""

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
    """One reply to each prompt; equal prompts are read once and continued as often as they stand.

    A reply ends at the model's end token. Token t of a reply is the one at which the probability,
    cumulated in the vocabulary's order, passes u_t, with u_0, u_1, ... drawn from
    `default_rng(asked.seed)`: what else is in the batch changes a reply only as far as it changes
    the logits' last digits.

    Args:
        model: a causal language model.
        tokenizer: its own.
        asked: prompts, each with the seed of its reply.
        max_new_tokens: longest reply.
        temperature: of the logits; 0 takes the most probable token.
        top_p: the fewest tokens of at least this probability take part (Holtzman et al. 2020,
            arXiv:1904.09751).
        precision: of matrix products.
    """
    context = context_size(model, tokenizer)
    size = max(1, context - min(max_new_tokens, context // 2))
    reach = CHARACTERS_PER_TOKEN * size
    distinct = list({question.prompt: question for question in asked}.values())
    tokens: dict[str, list[int]] = {}
    truncated: set[str] = set()
    short = [question.prompt if len(question.prompt) <= reach else "" for question in distinct]
    for question, text, ids in zip(distinct, short, prompt_tokens(tokenizer, short), strict=True):
        if len(ids) > size or text != question.prompt:
            shorter = fit_prompt(tokenizer, question, size)
            if shorter is None:
                continue
            truncated.add(question.prompt)
            ids = prompt_tokens(tokenizer, [shorter.prompt])[0]
        tokens[question.prompt] = ids
    replies = [SampledReply("", "too long")] * len(asked)
    fit = [i for i, question in enumerate(asked) if question.prompt in tokens]
    fit.sort(key=lambda i: (len(tokens[asked[i].prompt]), asked[i].prompt, i))
    ends = _ends(model, tokenizer)
    with inference(model, precision):
        for rows in _batches([len(tokens[asked[i].prompt]) + max_new_tokens for i in fit]):
            part = [fit[r] for r in rows]
            prompts = list(dict.fromkeys(asked[i].prompt for i in part))
            draws = np.stack(
                [np.random.default_rng(asked[i].seed).random(max_new_tokens) for i in part]
            )
            written = _continue(
                model,
                [tokens[prompt] for prompt in prompts],
                np.array([prompts.index(asked[i].prompt) for i in part]),
                draws,
                ends,
                context,
                temperature,
                top_p,
            )
            for i, (ids, done) in zip(part, written, strict=True):
                text = tokenizer.decode(ids, skip_special_tokens=True)
                replies[i] = SampledReply(
                    text, "stop" if done else "length", asked[i].prompt in truncated
                )
    return replies


def _continue(
    model: Any,
    prompts: Sequence[Sequence[int]],
    of: Ints,
    draws: Floats,
    ends: set[int],
    context: int,
    temperature: float,
    top_p: float,
) -> list[tuple[list[int], bool]]:
    """Tokens of each reply, and whether it ended.

    Args:
        model: a causal language model.
        prompts: P token sequences.
        of: (R,), the prompt of each reply.
        draws: (R, T) numbers in [0, 1).
        ends: tokens that end a reply.
        context: most tokens of prompt and reply.
        temperature: as in `sample_replies`.
        top_p: as in `sample_replies`.
    """
    written: list[list[int]] = [[] for _ in of]
    done = np.zeros(len(of), dtype=bool)
    width = max(map(len, prompts))
    ids = np.zeros((len(prompts), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, prompt in enumerate(prompts):  # padded on the left: all go on at the same place
        ids[row, width - len(prompt) :] = prompt
        mask[row, width - len(prompt) :] = 1
    device = model.device
    attention = torch.from_numpy(mask).to(device)
    logits, cache = _step(model, torch.from_numpy(ids).to(device), attention, None)
    index = torch.from_numpy(of).to(device)
    cache = with_preallocated_cache(cache, index, draws.shape[1])
    logits, attention = logits[index], attention[index]
    rows = np.arange(len(of))  # the replies that go on
    for t in range(draws.shape[1]):
        chosen = _choose(logits, draws[rows, t], temperature, top_p)
        going = np.ones(len(rows), dtype=bool)
        for at, (row, token) in enumerate(zip(rows.tolist(), chosen.tolist(), strict=True)):
            if token in ends:
                done[row], going[at] = True, False
            else:
                written[row].append(token)
                going[at] = len(prompts[int(of[row])]) + len(written[row]) < context
        if t + 1 == draws.shape[1] or not going.any():
            break
        if not going.all():  # finished rows leave
            stay = torch.from_numpy(np.flatnonzero(going)).to(device)
            cache.reorder_cache(stay)
            attention, chosen, rows = attention[stay], chosen[stay], rows[going]
        attention = torch.cat([attention, attention.new_ones(len(rows), 1)], dim=1)
        logits, cache = _step(model, chosen[:, None], attention, cache)
    return list(zip(written, done.tolist(), strict=True))


def _step(model: Any, ids: Tensor, attention: Tensor, cache: Any) -> tuple[Tensor, Any]:
    """Logits of the next token (B, vocabulary), and the cache with `ids` in it."""
    parameters = inspect.signature(inner_of(model).forward).parameters
    options: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
    if "position_ids" in parameters:
        positions = (attention.cumsum(dim=1) - 1).clamp(min=0)
        options["position_ids"] = positions[:, -ids.shape[1] :]
    name = "past_key_values" if "past_key_values" in parameters else "cache_params"
    options[name] = cache
    if name == "past_key_values" or cache is None:  # a recurrent state has left the padding behind
        options["attention_mask"] = attention
    out = model(input_ids=ids, use_cache=True, **options)
    return out.logits[:, -1].float(), out[name]


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


def _batches(costs: Sequence[int]) -> list[list[int]]:
    """Rows, sorted by cost, in parts of at most BATCH_TOKENS padded tokens."""
    parts: list[list[int]] = []
    for row, cost in enumerate(costs):
        if not parts or cost * (len(parts[-1]) + 1) > BATCH_TOKENS:
            parts.append([])
        parts[-1].append(row)
    return parts


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a reply: the model's and the tokenizer's."""
    stops = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends = set(stops if isinstance(stops, list) else [stops]) | {tokenizer.eos_token_id}
    return ends - {None}
