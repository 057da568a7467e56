"""Training: weights act, a stop changes nothing, faults are not silent."""

import importlib.machinery
import importlib.util
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from film_texts import questions, settings, targets
from steelyard.errors import ConfigError, TrainingError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import Finetuned, Lora, finetune
from steelyard.models.load import Pretrained, identity, load_classifier
from steelyard.types import Question, one_hot


def parameters(fitted: Finetuned) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in fitted.model.named_parameters()}


def assert_same(one: Finetuned, other: Finetuned, atol: float = 0.0) -> None:
    for name, value in parameters(one).items():
        torch.testing.assert_close(value, parameters(other)[name], atol=atol, rtol=0, msg=name)


def assert_differ(one: Finetuned, other: Finetuned) -> None:
    assert any(not torch.equal(v, parameters(other)[n]) for n, v in parameters(one).items())


def test_an_example_of_weight_zero_changes_nothing(tiny_bert: str) -> None:
    weights = np.array([1, 0, 2, 1, 0, 1, 1, 1.0])
    kept = np.flatnonzero(weights)
    every = finetune(settings(tiny_bert), questions(8), targets(8), weights, seed=1)
    few = [questions(8)[i] for i in kept]
    alone = finetune(settings(tiny_bert), few, targets(8)[kept], weights[kept], seed=1)
    assert_same(every, alone)


def test_doubling_a_weight_is_doubling_the_row(tiny_bert: str) -> None:
    # One full-batch step: (2a + b + c) / 3 * 3 = (a + a + b + c) / 4 * 4, so the step over four
    # rows with weights 4/3 has the gradient of the step over three with weights 2, 1, 1.
    one_step = settings(tiny_bert, epochs=1, batch_size=8, max_grad_norm=1e9)
    three, four = questions(3), [questions(3)[0], *questions(3)]
    doubled = finetune(one_step, three, targets(3), np.array([2.0, 1, 1]), seed=1)
    again = finetune(one_step, four, targets(3)[[0, 0, 1, 2]], np.full(4, 4 / 3), seed=1)
    assert_same(doubled, again, atol=2e-5)


def test_unequal_weights_are_not_ignored(tiny_bert: str) -> None:
    even = finetune(settings(tiny_bert), questions(8), targets(8), np.ones(8), seed=1)
    uneven = finetune(settings(tiny_bert), questions(8), targets(8), np.arange(1.0, 9), seed=1)
    assert_differ(even, uneven)


def test_a_step_in_parts_is_the_step_as_a_whole(tiny_bert: str) -> None:
    weights = np.array([0.2, 3, 1, 1, 0.5, 2, 1, 1.5])
    plain = settings(tiny_bert, batch_size=8)
    whole = finetune(plain, questions(8), targets(8), weights, seed=1)
    parts = plain.model_copy(update={"token_budget": 6})
    assert_same(whole, finetune(parts, questions(8), targets(8), weights, seed=1), atol=2e-5)


def test_padding_changes_nothing(tiny_bert: str) -> None:
    fitted = finetune(settings(tiny_bert), questions(8), targets(8), np.ones(8), seed=1)
    long = Question("long", "very " * 20)
    alone = fitted.probabilities(questions(3))
    padded = fitted.probabilities([*questions(3), long])[:3]
    np.testing.assert_allclose(alone, padded, atol=1e-6)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_killed_run_ends_bit_identical(tiny_bert: str, tmp_path: Path, stop: int) -> None:
    plain = settings(tiny_bert, dropout=0.2, checkpoint_steps=1, epochs=3)  # 6 steps
    data = (questions(8), targets(8), np.linspace(0.5, 1.5, 8))
    undisturbed = finetune(plain, *data, seed=1)
    finetune(plain, *data, seed=1, steps=6, checkpoints=Stopping(tmp_path, stop))
    resumed = finetune(plain, *data, seed=1, checkpoints=Checkpoints(tmp_path))
    assert_same(undisturbed, resumed)
    assert undisturbed.log == resumed.log


class Stopping(Checkpoints):
    """Keeps checkpoints up to a step, as if the run had been killed there."""

    def __init__(self, folder: Path, last: int) -> None:
        super().__init__(folder)
        self.last = last

    def save(self, step: int, *rest: Any) -> None:
        if step <= self.last:
            super().save(step, *rest)


@pytest.mark.parametrize(
    "damage", ["model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"]
)
@pytest.mark.parametrize("how", ["remove", "cut", "zero the tail", "flip a bit"])
def test_a_damaged_checkpoint_is_passed_over(
    tiny_bert: str, tmp_path: Path, damage: str, how: str
) -> None:
    plain = settings(tiny_bert, checkpoint_steps=1)  # 4 steps
    data = (questions(8), targets(8), np.ones(8))
    undisturbed = finetune(plain, *data, seed=1)
    finetune(plain, *data, seed=1, checkpoints=Stopping(tmp_path, 3))
    hurt(tmp_path / "step-00000003" / damage, how)
    resumed = finetune(plain, *data, seed=1, checkpoints=Checkpoints(tmp_path))
    assert_same(undisturbed, resumed)


def hurt(path: Path, how: str) -> None:
    raw = path.read_bytes()
    half = len(raw) // 2
    if how == "remove":
        path.unlink()
    elif how == "cut":
        path.write_bytes(raw[:half])
    elif how == "zero the tail":
        path.write_bytes(raw[:half] + bytes(len(raw) - half))
    else:
        path.write_bytes(raw[:half] + bytes([raw[half] ^ 1]) + raw[half + 1 :])


def test_an_empty_checkpoint_folder_is_passed_over(tiny_bert: str, tmp_path: Path) -> None:
    (tmp_path / "step-00000009").mkdir()
    data = (questions(8), targets(8), np.ones(8))
    resumed = finetune(settings(tiny_bert), *data, seed=1, checkpoints=Checkpoints(tmp_path))
    assert_same(finetune(settings(tiny_bert), *data, seed=1), resumed)


def test_a_loss_that_is_not_a_number_stops_the_run(tiny_bert: str, tmp_path: Path) -> None:
    poisoned = shutil.copytree(tiny_bert, tmp_path / "poisoned")
    from safetensors.torch import load_file, save_file

    weights = load_file(poisoned / "model.safetensors")
    weights["bert.embeddings.word_embeddings.weight"][5] = float("nan")
    save_file(weights, poisoned / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match="loss is nan at step 1"):
        finetune(settings(str(poisoned)), questions(8), targets(8), np.ones(8), seed=1)


def test_an_exploding_run_stops_and_keeps_no_checkpoint_of_it(
    tiny_bert: str, tmp_path: Path
) -> None:
    wild = settings(tiny_bert, learning_rate=1e38, checkpoint_steps=1, max_grad_norm=1e38)
    with pytest.raises(TrainingError, match=r"is (nan|inf) at step \d"):
        finetune(
            wild, questions(8), targets(8), np.ones(8), seed=1, checkpoints=Checkpoints(tmp_path)
        )


def test_training_that_changes_nothing_is_an_error(tiny_bert: str) -> None:
    with pytest.raises(TrainingError, match="No parameter changed in 4 steps"):
        finetune(
            settings(tiny_bert, learning_rate=1e-50),
            questions(8),
            targets(8),
            np.ones(8),
            seed=1,
        )


def test_a_half_precision_checkpoint_is_trained_in_float32(tiny_bert: str, tmp_path: Path) -> None:
    model = load_classifier(Pretrained(model=tiny_bert), 2, 0.0, 0)
    model.to(torch.bfloat16).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(tiny_bert) / name, tmp_path / name)
    gentle = settings(str(tmp_path), learning_rate=1e-6, epochs=1, batch_size=8)
    start = dict(load_classifier(gentle, 2, 0.0, 1).named_parameters())
    fitted = finetune(gentle, questions(8), targets(8), np.ones(8), seed=1)
    trained = parameters(fitted)
    assert all(value.dtype == torch.float32 for value in trained.values())
    weight = "bert.encoder.layer.0.intermediate.dense.weight"
    moved = (trained[weight] != start[weight]).float().mean()
    assert moved > 0.9  # in bf16 a step of 1e-6 would round away nearly everywhere


def test_a_real_word_as_padding_token_is_read_as_a_word(tiny_llama: str) -> None:
    fitted = finetune(
        settings(tiny_llama, max_tokens=16), questions(8), targets(8), np.ones(8), seed=1
    )
    # "good" is the padding token here. The last token must be read where it stands.
    alone = fitted.probabilities([Question("a", "film good")])
    padded = fitted.probabilities([Question("a", "film good"), Question("b", "very " * 9)])
    other = fitted.probabilities([Question("a", "film")])
    np.testing.assert_allclose(alone[0], padded[0], atol=1e-6)
    assert abs(alone[0, 0] - other[0, 0]) > 1e-6


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("family", ["tiny_bert", "tiny_llama"])
def test_cached_states_train_the_same_model(
    family: str, layers: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = settings(request.getfixturevalue(family), train_layers=layers)
    data = (questions(8), targets(8), np.ones(8))
    cached = finetune(plain, *data, seed=1)
    assert cached.trunk is not None
    monkeypatch.setattr("steelyard.models.frozen.Trunk.fits", lambda *_: False)
    whole = finetune(plain, *data, seed=1)
    assert whole.trunk is None
    assert_same(cached, whole, atol=2e-4)
    np.testing.assert_allclose(
        cached.probabilities(questions(7)), whole.probabilities(questions(7)), atol=1e-4
    )


def test_a_model_whose_states_cannot_be_cached_is_trained_without(tiny_gpt2: str) -> None:
    fitted = finetune(
        settings(tiny_gpt2, train_layers=1), questions(8), targets(8), np.ones(8), seed=1
    )
    assert fitted.trunk is None
    frozen = load_classifier(Pretrained(model=tiny_gpt2), 2, 0.0, 1)
    first = "transformer.h.0.mlp.c_fc.weight"
    assert torch.equal(parameters(fitted)[first], dict(frozen.named_parameters())[first])


def test_the_first_layers_of_a_model_are_a_weaker_model(tiny_bert: str) -> None:
    model = load_classifier(Pretrained(model=tiny_bert, layers=1), 2, 0.0, 0)
    assert len(model.bert.encoder.layer) == 1
    assert model.config.num_hidden_layers == 1
    with pytest.raises(ConfigError, match=r"`layers: 9`: .* has 3 blocks"):
        load_classifier(Pretrained(model=tiny_bert, layers=9), 2, 0.0, 0)


def test_adapters_train_and_leave_the_weights_alone(tiny_bert: str, tmp_path: Path) -> None:
    fitted = finetune(
        settings(tiny_bert, lora=Lora(rank=2)), questions(8), targets(8), np.ones(8), seed=1
    )
    trained = [name for name, p in fitted.model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora" in name or "classifier" in name for name in trained)
    before = fitted.probabilities(questions(4))
    fitted.save(tmp_path)
    from steelyard.models.load import load_saved

    model = load_saved(tmp_path)
    whole = Finetuned(settings(str(tmp_path)), model, fitted.tokenizer, 2, None, 0)
    np.testing.assert_allclose(before, whole.probabilities(questions(4)), atol=1e-5)


def test_a_chooser_learns_the_right_option(tiny_bert: str) -> None:
    ask = [
        Question(str(i), "the film is", ("good", "bad") if i % 2 else ("bad", "good"))
        for i in range(16)
    ]
    truth = one_hot(np.array([0 if i % 2 else 1 for i in range(16)]), 2)
    fitted = finetune(settings(tiny_bert, epochs=10), ask, truth, np.ones(16), seed=1)
    probs = fitted.probabilities(ask)
    assert (probs.argmax(axis=1) == truth.argmax(axis=1)).all()


def test_the_order_of_options_changes_no_option_s_probability(tiny_bert: str) -> None:
    # Permute the options, map back by number, and nothing has moved.
    options = ("good", "bad", "very fine film")
    ask = [Question("q", "the film is", options), Question("r", "a plot", options[:2])]
    truth = one_hot(np.array([0, 1]), 3)
    fitted = finetune(settings(tiny_bert, epochs=1), ask, truth, np.ones(2), seed=1)
    plain = fitted.probabilities(ask)
    assert plain[1, 2] == 0.0
    order = [2, 0, 1]
    shown = Question("q", "the film is", tuple(options[o] for o in order))
    permuted = fitted.probabilities([shown])
    np.testing.assert_allclose(permuted[0], plain[0, order], atol=1e-6)


def test_identity_follows_the_content(tiny_bert: str, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bert, tmp_path / "copy")
    assert identity(Pretrained(model=str(copy))) == identity(Pretrained(model=tiny_bert))
    changed = shutil.copytree(tiny_bert, tmp_path / "changed")
    hurt(changed / "model.safetensors", "flip a bit")
    assert identity(Pretrained(model=str(changed))) != identity(Pretrained(model=tiny_bert))


def test_an_unknown_model_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`model: .*nowhere` could not be loaded"):
        load_classifier(Pretrained(model=str(tmp_path / "nowhere")), 2, 0.0, 0)


@pytest.mark.parametrize("optimizer", ["adamw_8bit", "paged_adamw_8bit"])
def test_optimizers_in_8_bits_name_the_extra_they_need(tiny_bert: str, optimizer: str) -> None:
    if importlib.util.find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is installed")
    with pytest.raises(ConfigError, match=f"`optimizer: {optimizer}` needs the extra `quantize`"):
        finetune(
            settings(tiny_bert, optimizer=optimizer), questions(8), targets(8), np.ones(8), seed=1
        )


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [("adamw_8bit", "AdamW8bit"), ("paged_adamw_8bit", "PagedAdamW8bit")],
)
def test_an_optimizer_is_that_of_its_name(
    tiny_bert: str, monkeypatch: pytest.MonkeyPatch, optimizer: str, name: str
) -> None:
    used: list[Any] = []

    class Fake(torch.optim.AdamW):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            used.append(self)
            super().__init__(*args, **kwargs)

    library = types.ModuleType("bitsandbytes")
    library.__spec__ = importlib.machinery.ModuleSpec("bitsandbytes", None)
    library.optim = types.SimpleNamespace(**{name: Fake})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bitsandbytes", library)
    finetune(settings(tiny_bert, optimizer=optimizer), questions(8), targets(8), np.ones(8), seed=1)
    assert len(used) == 1
