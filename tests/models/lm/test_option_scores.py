"""Option scores are those of reading every text alone."""

import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import MistralConfig

import steelyard.models.lm.option_scores as ask_module
from drawn_models import CONFIGS, HEADS, SIZES, built, check_naive, drawn, questions
from steelyard.models.lm import output_layer
from steelyard.models.lm.load_lm import load_causal
from steelyard.models.lm.option_scores import Normalise, reads_trees, score_options
from steelyard.models.lm.prompt_tokens import prompt_tokens
from steelyard.models.load import PretrainedLm
from steelyard.prompts import PromptedQuestion, PromptSettings
from steelyard.types import Question


def test_scores_are_those_of_one_text_at_a_time(tiny: tuple[Any, Any]) -> None:
    model, words = tiny
    asked = questions(12)
    scores = score_options(model, words, asked)
    check_naive(model, words, asked, scores)
    assert scores.probs.sum(axis=1) == pytest.approx(1)
    assert scores.log_probs[0, 0] != pytest.approx(scores.log_probs[0, 1], abs=0.01)


def test_scores_with_fused_attention() -> None:
    """What is used on a GPU."""
    model, words = built("llama", "sdpa")
    assert reads_trees(model)
    asked = questions(6)
    check_naive(model, words, asked, score_options(model, words, asked))
    exact = score_options(model, words, asked).probs
    rough = score_options(model, words, asked, precision="bf16").probs
    assert rough == pytest.approx(exact, abs=0.05)


def test_scores_of_a_pretrained_model(stories: tuple[Any, Any]) -> None:
    """Real words: answers of several tokens, letters behind a shared token for the space."""
    model, words = stories
    question = Question("q", "What did Lily see in the park?", ("a big red ball", "a cat", "rain"))
    settings = [PromptSettings(queries=3), PromptSettings(queries=3, answer="text")]
    asked = [one.ask(question, "multiple_choice", (), q, 0) for one in settings for q in range(3)]
    check_naive(model, words, asked, score_options(model, words, asked))


def test_which_models_read_trees() -> None:
    found = {name: reads_trees(built(name)[0]) for name in CONFIGS}
    assert found == {"llama": True, "gpt2": True, "mistral": True, "bloom": False}


@pytest.mark.parametrize("family", ["llama", "gpt2", "mistral", "bloom"])
def test_a_model_in_half_precision_reads_trees_as_in_float32(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The try had float32 products: half weights raised, and were read text by text, 6 x slower."""
    model, words = built(family)
    model.to(torch.bfloat16).save_pretrained(tmp_path)
    half = load_causal(PretrainedLm(model=str(tmp_path), dtype="bfloat16"))
    wide = load_causal(PretrainedLm(model=str(tmp_path), dtype="float32"))
    assert half.get_input_embeddings().weight.dtype == torch.bfloat16
    assert reads_trees(half) == reads_trees(wide) == (family != "bloom")
    asked = questions(6)
    exact = score_options(wide, words, asked, precision="bf16").probs
    assert score_options(half, words, asked, precision="bf16").probs == pytest.approx(
        exact, abs=0.02
    )


def test_a_half_precision_model_that_ignores_the_mask_reads_text_by_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, _ = built("llama", "sdpa")
    model = model.to(torch.bfloat16)
    forward = model.forward

    @functools.wraps(forward)
    def unmasked(**inputs: Any) -> Any:
        return forward(**{**inputs, "attention_mask": None, "position_ids": None})

    monkeypatch.setattr(model, "forward", unmasked)
    assert not reads_trees(model)


def test_a_fault_of_every_reading_is_no_sign_of_a_model_without_trees(
    llama: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = llama

    @functools.wraps(model.forward)
    def broken(**inputs: Any) -> Any:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(model, "forward", broken)
    with pytest.raises(RuntimeError, match="out of luck"):
        reads_trees(model)


def test_texts_longer_than_a_sliding_window_are_read_alone() -> None:
    """A window of 8 tokens: a tree's own mask would show the 9th the first. Shorter texts, which
    the window does not touch, and longer ones have the model's own scores."""
    config = MistralConfig(**SIZES, **HEADS, max_position_embeddings=64, sliding_window=8)
    model, words = drawn(config)
    asked = questions(12)
    lengths = [len(ids) for ids in prompt_tokens(words, [one.prompt for one in asked])]
    assert min(lengths) < 8 < max(lengths)
    check_naive(model, words, asked, score_options(model, words, asked))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_question_is_one_forward_pass(
    llama: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, precision: Any
) -> None:
    """5 prompts x 2 single-token answers: 1 pass, and no more tokens than the prompts have."""
    model, words = llama
    ends = (" is", " was", " is very", " was not", " is the")
    asked = [
        PromptedQuestion(
            "q", str(i), f"the plot{end}", (" good", " bad"), (), ("good", "bad"), (4, 8)
        )
        for i, end in enumerate(ends)
    ]
    seen = []
    forward = type(model).forward

    @functools.wraps(forward)
    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["input_ids"].numel())
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(model, "forward", counted.__get__(model))
    assert reads_trees(model)
    found_out = len(seen)
    score_options(model, words, asked, precision=precision)
    # the plot {is {very, the}, was {not}}: 2 + 2 + 3 distinct tokens of 13
    assert seen[2 * found_out :] == [7]


def test_batches_and_neighbours_change_nothing(
    tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, words = tiny
    asked = questions(12)
    whole = score_options(model, words, asked)
    monkeypatch.setattr(ask_module, "BATCH_TOKENS", 1)
    monkeypatch.setattr(ask_module, "TREE_TOKENS", 1)
    alone = score_options(model, words, asked)
    assert alone.log_probs == pytest.approx(whole.log_probs, abs=1e-4)
    back = score_options(model, words, asked[::-1])
    assert back.log_probs[::-1] == pytest.approx(whole.log_probs, abs=1e-4)


@pytest.mark.parametrize(("normalise", "sizes"), [("token", [1, 3]), ("byte", [4, 12])])
def test_scores_per_token_and_per_byte(
    llama: tuple[Any, Any], normalise: Normalise, sizes: list[int]
) -> None:
    """ " not very bad" has three words, so three tokens of this tokenizer, and 12 bytes without the
    space before it; " good" has one token and 4 bytes."""
    model, words = llama
    asked = questions(1)
    sums = score_options(model, words, asked).log_probs
    scores = score_options(model, words, asked, normalise=normalise)
    means = scores.scores(normalise)
    assert scores.log_probs == pytest.approx(sums)
    assert means[:, :2] == pytest.approx(sums[:, :2] / sizes)
    assert scores.probs[0] == pytest.approx(np.exp(means[0]) / np.exp(means[0]).sum())


def test_the_output_layer_is_float32_in_bf16(llama: tuple[Any, Any]) -> None:
    """Against logits of the same bf16 hidden state, computed in float64. Logits are scaled to about
    20, where bfloat16 has steps of 1/8: its answers would tie."""
    model, words = llama
    layer = model.get_output_embeddings()
    asked = [PromptedQuestion("q", "0", "good film", (" good", " bad", " not"))]
    read: list[torch.Tensor] = []
    hook = model.model.register_forward_hook(lambda *call: read.append(call[2].last_hidden_state))
    before = layer.weight.detach().clone()
    try:
        with torch.no_grad():
            layer.weight.mul_(20 / model(torch.tensor([[1, 2]])).logits.abs().max())
            scores = score_options(model, words, asked, precision="bf16").log_probs[0]
            logits = layer.weight.double() @ read[-1][0, -1].double()
    finally:
        hook.remove()
        layer.weight.data.copy_(before)
    tokens = [words.convert_tokens_to_ids(word) for word in ("good", "bad", "not")]
    exact = torch.log_softmax(logits, dim=-1)[tokens].numpy()
    assert scores == pytest.approx(exact, abs=1e-4)
    assert "forward" not in vars(layer)


@pytest.mark.parametrize("bias", [False, True])
def test_half_precision_layers_are_widened_in_parts(
    bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the product in float64: 5 tokens by 4 units, of which 2 tokens are widened at once;
    also behind the hook with which a `device_map` moves weights."""
    from accelerate.hooks import ModelHook, add_hook_to_module

    class Head(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 5, bias=bias, dtype=torch.bfloat16)

        def get_output_embeddings(self) -> torch.nn.Linear:
            return self.layer

    monkeypatch.setattr(output_layer, "ENTRIES", 8)
    head, hidden = Head(), torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)) * 20
    exact = hidden.double() @ head.layer.weight.double().T
    exact += head.layer.bias.double() if bias else 0
    for hook in (None, ModelHook()):
        if hook is not None:
            add_hook_to_module(head.layer, hook)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            with output_layer.float32_output(head):
                torch.testing.assert_close(head.layer(hidden).double(), exact, rtol=1e-5, atol=1e-5)
            assert head.layer(hidden).dtype == torch.bfloat16


def test_bf16_is_near_float32(llama: tuple[Any, Any]) -> None:
    model, words = llama
    asked = questions(6)
    exact = score_options(model, words, asked).probs
    rough = score_options(model, words, asked, precision="bf16").probs
    assert rough == pytest.approx(exact, abs=0.05)


def test_permuting_options_leaves_an_order_insensitive_models_votes(
    llama: tuple[Any, Any],
) -> None:
    """Options answered by their text behind a prompt that does not list them: the order that a
    query draws cannot matter, so every query gives every option the same probability."""
    model, words = llama
    wording = {"name": "bare", "template": "{item} is"}
    asking = PromptSettings(queries=1, wordings=(wording,), answer="text")
    question = Question("q", "the film", ("good", "very bad", "not fine"))
    found = []
    for order in itertools.permutations(range(3)):
        shown = Question("q", "the film", tuple(question.choices[c] for c in order))
        asked = asking.ask(shown, "multiple_choice", (), 0, 0)
        probs = score_options(model, words, [asked]).probs[0]
        found.append(probs[np.argsort(order)])
    assert np.array(found) == pytest.approx(np.tile(found[0], (6, 1)), abs=1e-6)
