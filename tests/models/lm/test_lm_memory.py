"""Training in less memory: the same numbers, from fewer kept ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, Gemma2Config, GPT2Config

from real_llms import real_llm
from steelyard.errors import ConfigError, TrainingError
from steelyard.models import train as training
from steelyard.models.lm import finetune_lm as taught
from steelyard.models.lm.finetune_lm import Adapters, Completer, Tuning, finetune_lm
from steelyard.models.lm.lm_memory import activation_bytes, gradient_checkpointing, output_layer
from steelyard.models.lm.preference_training import PreferenceTuning, train_dpo
from steelyard.models.load import PretrainedLm
from steelyard.models.memory import TokenBudget, ran_out_of_memory
from steelyard.objectives import chunks
from steelyard.objectives.chunks import LazyLogits, OutputLayer, in_chunks
from steelyard.objectives.tokens import xent
from steelyard.prompts import PromptedQuestion
from steelyard.types import Question
from tiny_models import llama_config, tokenizer

TEXTS = ["good film", "the plot is awful", "a fine film", "bad", "very good", "not fine"]
CONFIGS: dict[str, Any] = {
    "llama": llama_config(layers=2),
    "gpt2": GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=2, n_positions=64),
}


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(CONFIGS[request.param], tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(CONFIGS["llama"], tmp_path_factory.mktemp("llama"))


def save(config: Any, folder: Path) -> str:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def teach(model: str, **changes: Any) -> Completer:
    """Two answers with soft targets and unequal weights, eight rows, two epochs of two steps."""
    prompts = [
        PromptedQuestion(
            str(i), "p", f"a plot {TEXTS[i % 6]} is", (" good", " very bad"), item=(7, 8)
        )
        for i in range(8)
    ]
    shares = np.array([0.9, 0.2, 0.5, 1.0, 0.0, 0.7, 0.35, 0.6])
    targets = np.stack([shares, 1 - shares], axis=1)
    weights = np.array([1, 2, 0.5, 1, 1, 0.25, 1, 3.0])
    plain = {"precision": "fp32", "learning_rate": 1e-2, "epochs": 2, "batch_size": 4, "lora": None}
    settings = Tuning(**{**plain, "warmup": 0.0, **changes})
    return finetune_lm(PretrainedLm(model=model), settings, prompts, targets, weights, seed=1)


def weights_of(fitted: Completer) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in fitted.model.named_parameters()}


def assert_same(one: Completer, other: Completer, atol: float) -> None:
    np.testing.assert_allclose(one.log.loss, other.log.loss, atol=atol, rtol=0)
    for name, value in weights_of(one).items():
        torch.testing.assert_close(value, weights_of(other)[name], atol=atol, rtol=0, msg=name)


# Logits of one chunk at a time


def test_lazy_logits_have_the_loss_and_gradients_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hard and soft labels with weights; d and V so that chunks are 3 of 11 tokens."""
    monkeypatch.setattr(chunks, "ENTRIES", 3 * 50)
    torch.manual_seed(0)
    states, matrix = torch.randn(11, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    labels, weights = torch.randint(50, (11,)), torch.rand(11)
    soft = torch.softmax(torch.randn(11, 50), dim=1)
    made: list[int] = []

    def layer(part: Tensor) -> Tensor:
        made.append(len(part))
        return part @ matrix.T

    def soft_loss(logits: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(logits, target, reduction="none")

    for loss, target in ((xent, labels), (soft_loss, soft)):
        made.clear()
        lazy = in_chunks(loss, LazyLogits(states, OutputLayer(layer, 50)), target)
        found = torch.autograd.grad((weights * lazy).sum(), [states, matrix])
        assert max(made) == 3
        whole = functional.cross_entropy(states @ matrix.T, target, reduction="none")
        expected = torch.autograd.grad((weights * whole).sum(), [states, matrix])
        torch.testing.assert_close(lazy, whole)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("lora", [None, Adapters(rank=2, dropout=0.0)])
def test_training_without_logits_of_all_tokens_is_the_same(
    tiny: str, lora: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ENTRIES", 2 * 32)
    lazy = teach(tiny, lora=lora)
    monkeypatch.setattr(taught, "output_layer", lambda model, precision: None)
    assert_same(lazy, teach(tiny, lora=lora), atol=2e-5)


def test_no_pass_has_logits_of_all_tokens(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ENTRIES", 2 * 32)
    sizes: list[int] = []

    def watched(model: Any, precision: Any) -> OutputLayer:
        layer = output_layer(model, precision)
        assert layer is not None

        def logits(states: Tensor) -> Tensor:
            sizes.append(len(states))
            return layer.logits(states)

        return OutputLayer(logits, layer.vocabulary)

    monkeypatch.setattr(taught, "output_layer", watched)
    teach(llama)
    assert max(sizes) == 2


def test_preferences_are_learned_the_same_way(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [Question(str(i), TEXTS[i], ("very good", "not fine film")) for i in range(6)]
    targets, settings = np.tile([0.8, 0.2], (6, 1)), PreferenceTuning(precision="fp32", lora=None)
    monkeypatch.setattr(chunks, "ENTRIES", 2 * 32)
    one = train_dpo(PretrainedLm(model=llama), settings, pairs, targets, np.ones(6), seed=0)
    rewards = one.rewards(pairs)
    monkeypatch.setattr(taught, "output_layer", lambda model, precision: None)
    other = train_dpo(PretrainedLm(model=llama), settings, pairs, targets, np.ones(6), seed=0)
    np.testing.assert_allclose(one.log.loss, other.log.loss, atol=1e-6)
    np.testing.assert_allclose(rewards, other.rewards(pairs), atol=1e-6)


def test_logits_that_are_capped_are_the_models(tmp_path: Path) -> None:
    """Gemma 2 caps its logits behind the layer: the layer alone would give others."""
    sizes: dict[str, Any] = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 1}
    heads: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8}
    for cap, found in ((0.01, False), (None, True)):
        config = Gemma2Config(**sizes, **heads, intermediate_size=32, final_logit_softcapping=cap)
        model = AutoModelForCausalLM.from_config(config).eval()
        assert (output_layer(model, "fp32") is not None) == found


# Gradient checkpointing


@pytest.mark.parametrize("lora", [None, Adapters(rank=2)])
def test_checkpointing_changes_no_number(tiny: str, lora: Any) -> None:
    """Dropout of the adapters is drawn again as it was."""
    kept, again = (teach(tiny, lora=lora, gradient_checkpointing=on) for on in (False, True))
    assert_same(kept, again, atol=1e-6)


def test_checkpointing_is_used_where_memory_may_not_suffice(
    llama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    real: Callable[..., Any] = gradient_checkpointing
    monkeypatch.setattr(
        taught, "gradient_checkpointing", lambda model, on: used.append(on) or real(model, on)
    )
    for free in (2**40, 2**10):
        monkeypatch.setattr(
            "steelyard.models.lm.lm_memory.available_memory", lambda d, free=free: free
        )
        teach(llama)
    teach(llama, gradient_checkpointing=False)
    assert used == [False, True, False]


def test_an_estimate_grows_with_tokens_and_shrinks_with_checkpointing() -> None:
    config = llama_config(layers=30)
    assert activation_bytes(config, 200) > 1.9 * activation_bytes(config, 100)
    assert activation_bytes(config, 200, checkpointing=True) < activation_bytes(config, 200) / 5


# Memory that runs out


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_a_step_without_memory_is_repeated_in_smaller_passes(
    llama: str,
    error: RuntimeError,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Memory ends behind a backward pass: what it left must not count twice."""
    plain = training.forward
    passes: list[int] = []

    def limited(model: Any, batcher: Any, rows: Any, *rest: Any) -> Any:
        passes.append(len(rows))
        if len(rows) > 1 and len(passes) > 1:
            raise error
        return plain(model, batcher, rows, *rest)

    expected = teach(llama, token_budget=64)
    monkeypatch.setattr(training, "forward", limited)
    found = teach(llama, token_budget=80)
    assert_same(found, expected, atol=1e-6)
    assert set(passes[4:]) <= {1, 2}
    assert "`token_budget:" in caplog.text


def test_a_single_row_without_memory_is_one_line(
    llama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.\nMore lines")

    monkeypatch.setattr(training, "forward", full)
    with pytest.raises(TrainingError, match=r"`token_budget`.* cannot help") as caught:
        teach(llama)
    assert "\n" not in str(caught.value)


def test_other_errors_are_not_taken_for_missing_memory() -> None:
    assert not ran_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))

    def fail(parts: Any) -> None:
        raise RuntimeError("another")

    with pytest.raises(RuntimeError, match="another"):
        TokenBudget(64).fit(lambda tokens: [np.arange(3)], fail)


# 8-bit AdamW


def test_8_bit_adamw_without_its_package(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steelyard.extras._installed", lambda name: False)
    with pytest.raises(ConfigError, match=r"`optimizer: adamw_8bit` needs the extra `quantize`"):
        teach(llama, optimizer="adamw_8bit")


def test_8_bit_adamw_learns_and_resumes(llama: str, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    small = teach(llama, optimizer="adamw_8bit", epochs=10)
    assert small.log.loss[-1] < small.log.loss[0]


# A real model


def test_weights_act_on_a_real_model() -> None:
    """A row of weight 0 changes nothing; two layers of the real model, bf16 under adapters."""
    pretrained = PretrainedLm(model=real_llm(), layers=2)
    prompts = [
        PromptedQuestion(str(i), "p", f"Review: {text}. Sentiment:", (" good", " bad"), item=(8, 9))
        for i, text in enumerate(TEXTS)
    ]
    targets, weights = np.tile([1.0, 0.0], (6, 1)), np.array([1, 0, 2, 1, 0, 1.0])
    kept = np.flatnonzero(weights)
    settings = Tuning(epochs=1, batch_size=2, gradient_checkpointing=True)
    every = finetune_lm(pretrained, settings, prompts, targets, weights, seed=0)
    few = [prompts[i] for i in kept]
    alone = finetune_lm(pretrained, settings, few, targets[kept], weights[kept], seed=0)
    assert every.log.loss == alone.log.loss
    even = finetune_lm(pretrained, settings, few, targets[kept], np.ones(4), seed=0)
    assert every.log.loss != even.log.loss
