"""Replies are those of `generate`, alone or in a batch, and have the model's frequencies."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import Lfm2Config, MambaConfig, MistralConfig, PretrainedConfig

from drawn_models import HEADS, SIZES, check_naive, drawn, questions
from steelyard.models.lm.option_scores import score_options
from steelyard.models.lm.prompt_tokens import prompt_tokens
from steelyard.models.lm.sampling import SampledReply, sample_replies
from steelyard.prompts import PromptedQuestion
from tiny_models import WORDS


def told(count: int, seed: int = 0) -> list[PromptedQuestion]:
    prompts = ["a plot is", "the film was not very", "bad"]
    return [PromptedQuestion(str(i), "0", prompts[i % 3], seed=seed + i) for i in range(count)]


def test_greedy_replies_are_those_of_generate(tiny: tuple[Any, Any]) -> None:
    model, words = tiny
    replies = sample_replies(model, words, told(3), max_new_tokens=12)
    for one, reply in zip(told(3), replies, strict=True):
        ids = torch.tensor(prompt_tokens(words, [one.prompt]))
        whole = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=words.eos_token_id,
            pad_token_id=0,
        )
        assert reply.text == words.decode(whole[0, ids.shape[1] :], skip_special_tokens=True)
        assert reply.finish_reason == ("stop" if whole[0, -1] == words.eos_token_id else "length")


@pytest.mark.parametrize("family", ["mistral", "lfm2", "mamba"])
def test_replies_from_other_caches_are_those_of_generate(family: str) -> None:
    """A window of 8 tokens, convolutions beside attention, and a state instead of a cache."""
    windowed = MistralConfig(**SIZES, **HEADS, max_position_embeddings=64, sliding_window=8)
    mixed = {**SIZES, **HEADS, "num_hidden_layers": 3, "full_attn_idxs": [1]}
    configs: dict[str, PretrainedConfig] = {
        "mistral": windowed,
        "lfm2": Lfm2Config(**mixed, max_position_embeddings=64, block_multiple_of=8),
        "mamba": MambaConfig(**SIZES, state_size=4),
    }
    pair = drawn(configs[family])
    test_greedy_replies_are_those_of_generate(pair)
    test_a_reply_does_not_depend_on_its_batch(pair)
    check_naive(*pair, questions(6), score_options(*pair, questions(6)))


def test_a_reply_does_not_depend_on_its_batch(tiny: tuple[Any, Any]) -> None:
    model, words = tiny
    asked = told(9)
    settings: dict[str, Any] = {"max_new_tokens": 10, "temperature": 1.0, "top_p": 0.9}
    whole = sample_replies(model, words, asked, **settings)
    alone = [sample_replies(model, words, [one], **settings)[0] for one in asked]
    assert whole == alone
    assert sample_replies(model, words, asked[::-1], **settings)[::-1] == whole
    assert len({reply.text for reply in whole[::3]}) > 1  # equal prompts, other seeds


def first_tokens(model: Any, words: Any, count: int, **settings: Any) -> dict[str, float]:
    asked = [PromptedQuestion("q", "0", "a plot is", seed=i) for i in range(count)]
    replies = sample_replies(model, words, asked, max_new_tokens=1, **settings)
    texts = sorted({reply.text for reply in replies})
    return {text: sum(reply.text == text for reply in replies) / count for text in texts}


def test_samples_have_the_models_frequencies(llama: tuple[Any, Any]) -> None:
    """2,000 draws against softmax(logits / T): standard error at most sqrt(.25 / 2000) = .011."""
    model, words = llama
    (ids,) = prompt_tokens(words, ["a plot is"])
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, -1].double()
    for temperature in (0.5, 2.0):
        probs = torch.softmax(logits / temperature, dim=-1).numpy()
        found = first_tokens(model, words, 2000, temperature=temperature)
        for word in WORDS[1:]:  # the end token is "good"
            expected = probs[words.convert_tokens_to_ids(word)]
            assert found.get(word, 0.0) == pytest.approx(expected, abs=0.045)


def test_top_p_leaves_the_rare_out(llama: tuple[Any, Any]) -> None:
    """The fewest tokens whose probabilities reach p take part, in proportion."""
    model, words = llama
    (ids,) = prompt_tokens(words, ["a plot is"])
    with torch.inference_mode():
        probs = torch.softmax(model(torch.tensor([ids])).logits[0, -1].double(), dim=-1).numpy()
    order = np.argsort(-probs, kind="stable")
    kept = order[: int(np.searchsorted(np.cumsum(probs[order]), 0.5)) + 1]
    allowed = {words.decode([token], skip_special_tokens=True) for token in kept}
    found = first_tokens(model, words, 300, temperature=1.0, top_p=0.5)
    assert set(found) <= allowed
    assert set(first_tokens(model, words, 50, temperature=1.0, top_p=1e-9)) == {
        words.decode([order[0]], skip_special_tokens=True)
    }


def test_replies_end_at_the_context_and_prompts_leave_room(llama: tuple[Any, Any]) -> None:
    """Context 64, 20 new tokens: a prompt has at most 44, and what is too long is not put."""
    model, words = llama
    item = " ".join(["film"] * 100)
    asked = [
        PromptedQuestion("cut", "0", f"{item} is very", item=(0, len(item))),
        PromptedQuestion("never", "0", f"bad {item}", item=(0, 3)),
        PromptedQuestion("short", "0", "a plot is"),
    ]
    replies = sample_replies(model, words, asked, max_new_tokens=20)
    assert [reply.truncated for reply in replies] == [True, False, False]
    assert replies[1] == SampledReply("", "too long")
    assert replies[2] == sample_replies(model, words, asked[2:], max_new_tokens=20)[0]
