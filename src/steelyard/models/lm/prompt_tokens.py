"""Prompts and the answers that follow them, as token ids.

A prompt that leaves no space for the answer is truncated in the item that it asks about: never in
its instruction, and never in the answer.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steelyard.errors import ConfigError
from steelyard.models.encode import CHARACTERS_PER_TOKEN
from steelyard.prompts import PromptedQuestion
from steelyard.types import Ints

TAIL = 64  # characters before an answer that may change how it is tokenised


def context_size(model: Any, tokenizer: Any) -> int:
    """Tokens that a model can read at once."""
    sizes = [getattr(model.config, "max_position_embeddings", None), tokenizer.model_max_length]
    return int(min(size for size in sizes if size))


def end_token(tokenizer: Any) -> int:
    """The token that ends an answer.

    Raises:
        ConfigError: the tokenizer has none.
    """
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            "The model's tokenizer has no end token (`eos_token`), so an answer could not end; "
            "use another `model`, or set the token in its tokenizer_config.json."
        )
    return int(tokenizer.eos_token_id)


def prompt_tokens(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt, with the tokenizer's tokens in front and none at the end.

    Control tokens in a prompt are read as plain text.
    """
    front = _front(tokenizer)
    return [front + ids for ids in _ids(tokenizer, prompts)]


def question_tokens(tokenizer: Any, asked: Sequence[PromptedQuestion]) -> list[list[int]]:
    """Token ids of all that the model reads before each answer.

    Control tokens count in what stands around a prompt in a chat, and nowhere else. There the
    chat template has the tokens that belong in front, and they are not added again.
    """
    plain = [question.whole for question in asked if not question.in_chat]
    chat = [question.whole for question in asked if question.in_chat]
    options = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
    of_plain = iter(prompt_tokens(tokenizer, plain) if plain else ())
    of_chat = iter(tokenizer(chat, **options)["input_ids"] if chat else ())
    return [list(next(of_chat if question.in_chat else of_plain)) for question in asked]


def answer_tokens(tokenizer: Any, prompt: str, answers: Sequence[str]) -> list[list[int]]:
    """Token ids of each answer where it follows the prompt.

    The tokens of prompt and answer together without the prompt's. Where the tokenizer joins the two
    at their border, the answer is tokenised without the prompt.
    """
    tail = prompt[-TAIL:]
    before, *whole = _ids(tokenizer, [tail, *(tail + answer for answer in answers)])
    size = len(before)
    if all(ids[:size] == before and len(ids) > size for ids in whole):
        return [ids[size:] for ids in whole]
    return _ids(tokenizer, answers)


def tokens_of_answers(
    tokenizer: Any, prompts: Sequence[str], answers: Sequence[tuple[str, ...]]
) -> list[list[list[int]]]:
    """`answer_tokens` of each of N prompts; closed questions share their answers' tokens."""
    tokens = functools.cache(functools.partial(answer_tokens, tokenizer))
    return [tokens(prompt[-TAIL:], texts) for prompt, texts in zip(prompts, answers, strict=True)]


def fitted_prompts(
    tokenizer: Any, asked: Sequence[PromptedQuestion], sizes: Sequence[int]
) -> tuple[list[list[int] | None], npt.NDArray[np.bool_]]:
    """Token ids of each prompt, None where it is too long even without its item.

    Args:
        tokenizer: of the model that is asked.
        asked: N prompts; items are truncated as by `fit_prompt`.
        sizes: tokens that each prompt may have.

    Returns:
        Also whether each prompt's item was truncated, (N,).
    """
    reach = [CHARACTERS_PER_TOKEN * size for size in sizes]
    short = [
        len(question.whole) <= characters for question, characters in zip(asked, reach, strict=True)
    ]
    fitting = question_tokens(tokenizer, [q for q, fits in zip(asked, short, strict=True) if fits])
    rest = iter(fitting)
    tokens: list[list[int] | None] = [next(rest) if fits else None for fits in short]
    truncated = np.zeros(len(asked), dtype=bool)
    for i, (question, size) in enumerate(zip(asked, sizes, strict=True)):
        if short[i] and len(tokens[i] or ()) <= size:
            continue
        shorter = fit_prompt(tokenizer, question, size)
        tokens[i] = None if shorter is None else question_tokens(tokenizer, [shorter])[0]
        truncated[i] = shorter is not None and shorter.prompt != question.prompt
    return tokens, truncated


def fit_prompt(tokenizer: Any, question: PromptedQuestion, size: int) -> PromptedQuestion | None:
    """The prompt with its item truncated so that it has at most `size` tokens.

    None if it is too long even without its item.
    """

    def truncated(characters: int) -> PromptedQuestion:
        start, end = question.item
        kept = min(characters, end - start)
        item = question.prompt[start:end]
        item = item[len(item) - kept :] if question.keeps_end else item[:kept]
        prompt = question.prompt[:start] + item + question.prompt[end:]
        return replace(question, prompt=prompt, item=(start, start + kept))

    def fits(characters: int) -> bool:
        return len(question_tokens(tokenizer, [truncated(characters)])[0]) <= size

    high = question.item[1] - question.item[0]
    reach = CHARACTERS_PER_TOKEN * max(size, 1)  # far above any real ratio
    if high <= reach and fits(high):
        return question
    low, high = 0, min(high, reach) + 1
    if not fits(low):
        return None
    while high - low > 1:  # `low` characters fit, `high` do not
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return truncated(low)


def padded(sequences: Sequence[Sequence[int] | Ints], left: bool) -> tuple[Tensor, Tensor]:
    """Token ids and their mask, (rows, longest), padded with 0 on the left or right."""
    width = max(map(len, sequences))
    lengths = np.array([len(ids_of) for ids_of in sequences])[:, None]
    position = np.arange(width)
    mask = position >= width - lengths if left else position < lengths
    ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(ids_of, dtype=np.int64) for ids_of in sequences])
    return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def _front(tokenizer: Any) -> list[int]:
    """The tokens that the tokenizer puts in front of a text, such as <s>."""
    plain, whole = (_ids(tokenizer, ["a"], special=special)[0] for special in (False, True))
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return whole[:start]
    return []


def _ids(tokenizer: Any, texts: Sequence[str], special: bool = False) -> list[list[int]]:
    plain = {"split_special_tokens": True, "return_attention_mask": False, "verbose": False}
    encoded = tokenizer(list(texts), add_special_tokens=special, **plain)
    return [list(ids) for ids in encoded["input_ids"]]
