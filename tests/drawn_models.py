"""Language models with drawn weights, prompts to ask them, and their scores the slow way."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
)

from steelyard.models.lm.option_scores import OptionScores
from steelyard.models.lm.prompt_tokens import answer_tokens, prompt_tokens
from steelyard.prompts import PromptedQuestion
from tiny_models import WORDS, tokenizer

SIZES: dict[str, Any] = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 32}
CONFIGS: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**SIZES, **HEADS, max_position_embeddings=64),
    "gpt2": GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=2, n_positions=64),
    "mistral": MistralConfig(**SIZES, **HEADS, max_position_embeddings=64, sliding_window=None),
    "bloom": BloomConfig(vocab_size=32, hidden_size=16, n_layer=2, n_head=2),  # ALiBi: no positions
}


def config_of(family: str) -> PretrainedConfig:
    """A copy: a model that is saved in half precision writes that into its configuration."""
    return copy.deepcopy(CONFIGS[family])


def built(family: str, attention: str = "eager") -> tuple[Any, Any]:
    return drawn(config_of(family), attention)


def drawn(config: PretrainedConfig, attention: str = "eager") -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    words = tokenizer(pairs=False)
    words.pad_token = "good"  # a real word, as GPT-2's is
    return model.eval(), words


def questions(count: int, seed: int = 0) -> list[PromptedQuestion]:
    """Prompts of unequal length, two wordings each, answers of one to three tokens."""
    rng = np.random.default_rng(seed)
    asked = []
    for i in range(count):
        item = " ".join(rng.choice(WORDS, rng.integers(1, 9)))
        for query, end in enumerate((" is", " is the film very")):
            prompt = f"a plot {item}{end}"
            answers = (" good", " not very bad", " very fine")[: 2 + i % 2]
            asked.append(
                PromptedQuestion(
                    str(i), str(query), prompt, answers, (), answers, (7, 7 + len(item))
                )
            )
    return asked


def naive(model: Any, tokens: Sequence[int], answer: Sequence[int]) -> list[float]:
    """ln P of each token of an answer: one text, one forward pass, no cache, no padding."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*tokens, *answer]])).logits[0].double()
    logs = torch.log_softmax(logits, dim=-1)
    return [float(logs[len(tokens) - 1 + j, token]) for j, token in enumerate(answer)]


def check_naive(
    model: Any, words: Any, asked: Sequence[PromptedQuestion], scores: OptionScores
) -> None:
    for i, one in enumerate(asked):
        (prompt,) = prompt_tokens(words, [one.prompt])
        for k, answer in enumerate(answer_tokens(words, one.prompt, one.answers)):
            assert scores.log_probs[i, k] == pytest.approx(
                sum(naive(model, prompt, answer)), abs=1e-4
            )
        assert np.isneginf(scores.log_probs[i, len(one.answers) :]).all()
