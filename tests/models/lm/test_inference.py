"""While a model reads, its weights are cast once and stay as they were."""

from typing import Any

import pytest
import torch

from drawn_models import questions
from steelyard.models import precision
from steelyard.models.lm.inference import inference
from steelyard.models.lm.option_scores import fused_attention, score_options


def test_weights_are_cast_once_and_stay_frozen(
    llama: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second pass of a batch finds the first one's casts: the profiler counts none."""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    model, _ = llama
    frozen = next(model.parameters()).requires_grad_(False)
    ids = torch.tensor([[5, 6, 7]])
    counts = []
    with inference(model, "bf16"):
        for _ in range(2):
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
                model(input_ids=ids, use_cache=False)
            counts.append(sum(one.count for one in seen.key_averages() if one.key == "aten::copy_"))
    assert not frozen.requires_grad
    frozen.requires_grad_(True)
    # two layers of q, k, v, o, gate, up, down, and the output layer
    assert counts[0] - counts[1] == 2 * 7 + 1


def test_asking_leaves_the_attention_as_it_was(llama: tuple[Any, Any]) -> None:
    model, words = llama
    assert model.config._attn_implementation == "eager"
    with fused_attention(model):
        assert model.config._attn_implementation == "sdpa"
    score_options(model, words, questions(1))
    assert model.config._attn_implementation == "eager"
