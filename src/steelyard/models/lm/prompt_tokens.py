"""Prompts and the answers that follow them, as token ids.

A prompt that leaves no room for the answer is cut in the item that it asks about: never in its
instruction, and never in the answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from steelyard.models.encode import CHARACTERS_PER_TOKEN
from steelyard.prompts import PromptedQuestion


def context_size(model: Any, tokenizer: Any) -> int:
    """Tokens that a model can read at once."""
    sizes = [getattr(model.config, "max_position_embeddings", None), tokenizer.model_max_length]
    return int(min(size for size in sizes if size))


def prompt_tokens(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt, with what the tokenizer puts in front and nothing behind.

    Control tokens that stand in a prompt are read as plain text.
    """
    front = _front(tokenizer)
    return [front + ids for ids in _ids(tokenizer, prompts)]


def answer_tokens(tokenizer: Any, prompt: str, answers: Sequence[str]) -> list[list[int]]:
    """Token ids of each answer where it follows the prompt.

    They are what the tokens of prompt and answer together have beyond the prompt's. Where the
    tokenizer joins the two at their border, the answer is tokenised alone.
    """
    tail = prompt[-64:]  # tokens do not reach further back
    before, *whole = _ids(tokenizer, [tail, *(tail + answer for answer in answers)])
    size = len(before)
    if all(ids[:size] == before and len(ids) > size for ids in whole):
        return [ids[size:] for ids in whole]
    return _ids(tokenizer, answers)


def fit_prompt(tokenizer: Any, asked: PromptedQuestion, room: int) -> PromptedQuestion | None:
    """The same with its item cut to the longest that fits, as it stands if it fits.

    Args:
        tokenizer: of the model that is asked.
        asked: what is asked.
        room: tokens that the prompt may have.

    Returns:
        None if the prompt is too long even without its item.
    """

    def cut(characters: int) -> PromptedQuestion:
        start, end = asked.item
        kept = min(characters, end - start)
        item = asked.prompt[start:end]
        item = item[len(item) - kept :] if asked.keeps_end else item[:kept]
        prompt = asked.prompt[:start] + item + asked.prompt[end:]
        return replace(asked, prompt=prompt, item=(start, start + kept))

    def fits(characters: int) -> bool:
        return len(prompt_tokens(tokenizer, [cut(characters).prompt])[0]) <= room

    high = asked.item[1] - asked.item[0]
    reach = CHARACTERS_PER_TOKEN * max(room, 1)  # far above any real ratio
    if high <= reach and fits(high):
        return asked
    low, high = 0, min(high, reach) + 1
    if not fits(low):
        return None
    while high - low > 1:  # `low` characters fit, `high` do not
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return cut(low)


def _front(tokenizer: Any) -> list[int]:
    """What the tokenizer puts before a text, such as <s>; an end that it puts behind is not."""
    plain, whole = (_ids(tokenizer, ["a"], special=special)[0] for special in (False, True))
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return whole[:start]
    return []


def _ids(tokenizer: Any, texts: Sequence[str], special: bool = False) -> list[list[int]]:
    encoded = tokenizer(
        list(texts),
        add_special_tokens=special,
        split_special_tokens=True,
        return_attention_mask=False,
        verbose=False,
    )
    return [list(ids) for ids in encoded["input_ids"]]
