"""Teaching answers: the loss is of the answer alone, weights act, a stop changes nothing."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, PreTrainedModel

from answer_rows import cross_entropies
from steelyard.errors import ConfigError, InputError, TrainingError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.lm.completion_batches import AnswerBatcher, encode_answers
from steelyard.models.lm.finetune_lm import Adapters, Completer, Tuning, finetune_lm
from steelyard.models.load import Pretrained
from steelyard.models.score import forward
from steelyard.objectives.answers import answer_losses, mean_over_answers
from steelyard.objectives.tokens import xent
from steelyard.prompts import PromptedQuestion
from steelyard.types import Floats, one_hot
from tiny_models import llama_config, tokenizer

ITEMS = ["the film is fine", "a film was awful", "is very bad", "the plot was bad", "fine plot"]
CONFIGS: dict[str, Any] = {
    "llama": llama_config(layers=2),
    "gpt2": GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=2, n_positions=64),
}


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def causal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tiny language model; its end token is a real word, it has no padding."""
    return save(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save("llama", tmp_path_factory.mktemp("llama"))


def save(family: str, folder: Path) -> str:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(CONFIGS[family])
    model.save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def asked(count: int) -> list[PromptedQuestion]:
    made = []
    for i in range(count):
        item = ITEMS[i % len(ITEMS)]
        prompt = f"a plot {item} is"
        made.append(
            PromptedQuestion(
                str(i), "plain", prompt, (" good", " very bad"), item=(7, 7 + len(item))
            )
        )
    return made


def targets(count: int) -> Floats:
    return one_hot(np.array([0, 1, 1, 1, 0] * 4)[:count], 2)


def tuning(**changes: Any) -> Tuning:
    plain = {"precision": "fp32", "learning_rate": 1e-2, "epochs": 2, "batch_size": 4, "lora": None}
    return Tuning(**{**plain, "warmup": 0.0, **changes})


def teach(
    model: str,
    settings: Tuning,
    prompts: Sequence[PromptedQuestion],
    of: Floats,
    weights: Any,
    **more: Any,
) -> Completer:
    return finetune_lm(Pretrained(model=model), settings, prompts, of, weights, seed=1, **more)


def parameters(fitted: Completer) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in fitted.model.named_parameters()}


def assert_same(one: Completer, other: Completer, atol: float = 0.0) -> None:
    for name, value in parameters(one).items():
        torch.testing.assert_close(value, parameters(other)[name], atol=atol, rtol=0, msg=name)


# The loss


def loss_of(losses: list[float], length: int, divisor: int) -> torch.Tensor:
    """A row of `length` next tokens, the last ones of an answer with the given cross-entropies."""
    logits = torch.full((1, length, 2), 7.0)  # far off wherever nobody may look
    is_answer = torch.zeros(1, length, dtype=torch.bool)
    for place, loss in enumerate(losses, start=length - len(losses)):
        p = torch.exp(torch.tensor(-loss))
        logits[0, place] = torch.log(torch.stack([p, 1 - p]))
        is_answer[0, place] = True
    tokens = torch.zeros(1, length, dtype=torch.int64)
    return cross_entropies(logits, tokens, is_answer, torch.tensor([divisor]))


def test_a_weighted_row_by_hand() -> None:
    # r = .787; three answer tokens of CE 1.2, .4, .2 in a row of ten: .787 * 1.8 / 3 = .4722.
    found = loss_of([1.2, 0.4, 0.2], 10, divisor=3)
    loss = mean_over_answers(found[:, None], torch.ones(1, 1), torch.tensor([0.787]))
    assert loss.item() == pytest.approx(0.4722, abs=1e-6)


def test_the_paper_s_mean_counts_prompt_and_padding() -> None:
    # .787 * 1.8 / 10 = .14166: the same answer weighs less in a longer row.
    found = loss_of([1.2, 0.4, 0.2], 10, divisor=10)
    loss = mean_over_answers(found[:, None], torch.ones(1, 1), torch.tensor([0.787]))
    assert loss.item() == pytest.approx(0.14166, abs=1e-6)


def test_soft_targets_by_hand() -> None:
    # Answers of CE .5 and 2, targets .8 and .2, weight 1.5; a second example of CE 1, weight .5:
    # (1.5 * (.8 * .5 + .2 * 2) + .5 * 1) / 2 = (1.2 + .5) / 2 = .85.
    losses = torch.tensor([[0.5, 2.0], [1.0, 0.0]])
    loss = mean_over_answers(losses, torch.tensor([[0.8, 0.2], [1, 0]]), torch.tensor([1.5, 0.5]))
    assert loss.item() == pytest.approx(0.85, abs=1e-6)


@given(st.integers(0, 10_000), st.floats(0.1, 9))
def test_weights_of_one_are_torchs_and_scale_the_loss(seed: int, factor: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(5, 7, 11, generator=generator)
    tokens = torch.randint(0, 11, (5, 7), generator=generator)
    start = torch.randint(0, 7, (5, 1), generator=generator)
    is_answer = torch.arange(7) >= start
    found = cross_entropies(logits, tokens, is_answer, is_answer.sum(dim=1))
    labels = tokens.masked_fill(~is_answer, -100)
    each = [functional.cross_entropy(x, y) for x, y in zip(logits, labels, strict=True)]
    loss = mean_over_answers(found[:, None], torch.ones(5, 1), torch.ones(5))
    torch.testing.assert_close(loss, torch.stack(each).mean())
    scaled = mean_over_answers(found[:, None], torch.ones(5, 1), torch.full((5,), factor))
    torch.testing.assert_close(scaled, loss * factor)


# The rows


def batcher_of(
    model: str, prompts: list[PromptedQuestion], of: Floats, **options: Any
) -> AnswerBatcher:
    from steelyard.models.load import load_tokenizer

    rows = encode_answers(load_tokenizer(Pretrained(model=model)), prompts, of, 64)
    return AnswerBatcher(rows.encoded, answers=rows, **options)


def losses_of(model: Any, batcher: AnswerBatcher, of: Floats) -> torch.Tensor:
    """The loss of each answer of all examples."""
    rows = np.arange(len(of))
    logits = forward(model, batcher, rows, of.shape[1], "fp32")
    targets = batcher.targets(of, rows)
    return answer_losses(xent(logits, targets.tokens), targets)


def test_a_row_is_prompt_answer_and_end(llama: str) -> None:
    batcher = batcher_of(llama, asked(2), np.array([[0.0, 1.0], [0.5, 0.5]]))
    words = tokenizer(pairs=False).convert_ids_to_tokens(batcher.encoded.tokens)
    assert " ".join(words) == (
        "a plot the film is fine is very bad good "  # "good" is the end token
        "a plot a film was awful is good good "
        "a plot a film was awful is very bad good"
    )
    assert batcher.encoded.rows.tolist() == [0, 1, 3]
    assert batcher.answers.candidate.tolist() == [1, 0, 1]
    assert batcher.answers.prompt.tolist() == [7, 7, 7]


@pytest.mark.parametrize("trims", [False, True])
def test_losses_are_those_of_each_row_alone(causal: str, trims: bool) -> None:
    # A second implementation: one row at a time, transformers' own loss, no padding.
    model = AutoModelForCausalLM.from_pretrained(causal).eval()
    of = np.array([[0.5, 0.5], [1, 0], [0.3, 0.7]])
    batcher = batcher_of(causal, asked(3), of, trims=trims)
    with torch.inference_mode():
        found = losses_of(model, batcher, of)
        for s, k in enumerate(batcher.answers.candidate):
            start, end = batcher.encoded.starts[s : s + 2]
            ids = torch.from_numpy(batcher.encoded.tokens[start:end].astype(np.int64))[None]
            labels = ids.clone()
            labels[0, : batcher.answers.prompt[s]] = -100
            i = int(np.searchsorted(batcher.encoded.rows, s, side="right")) - 1
            alone = model(input_ids=ids, labels=labels).loss
            torch.testing.assert_close(found[i, k], alone, atol=2e-6, rtol=1e-5)
    assert found[1, 1] == 0  # not learned


def test_padded_mean_divides_by_the_longest_row(llama: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama).eval()
    prompts = [*asked(2), PromptedQuestion("long", "plain", "very " * 20 + "is", (" good", " bad"))]
    of = np.array([[1.0, 0], [0, 1], [1, 0]])
    sums = []
    for reduction in ("row_mean", "padded_mean"):
        batcher = batcher_of(llama, prompts, of, reduction=reduction)
        with torch.inference_mode():
            sums.append(losses_of(model, batcher, of))
    # Answers of 2, 3 and 2 tokens with their end; the longest row has 23, so 22 next tokens.
    ratio = torch.tensor([[2 / 22, 1], [1, 3 / 22], [2 / 22, 1]])
    torch.testing.assert_close(sums[1], sums[0] * ratio)


# Training


def test_an_example_of_weight_zero_changes_nothing(llama: str) -> None:
    weights = np.array([1, 0, 2, 1, 0, 1, 1, 1.0])
    kept = np.flatnonzero(weights)
    every = teach(llama, tuning(), asked(8), targets(8), weights)
    few = [asked(8)[i] for i in kept]
    assert_same(every, teach(llama, tuning(), few, targets(8)[kept], weights[kept]))


def test_doubling_a_weight_is_doubling_the_row(llama: str) -> None:
    # One full-batch step: (2a + b + c) / 3 with weights 2, 1, 1 over three rows has the gradient
    # of (a + a + b + c) / 4 with weights 4/3 over four.
    one_step = tuning(epochs=1, batch_size=8, max_grad_norm=1e9)
    three, four = asked(3), [asked(3)[0], *asked(3)]
    doubled = teach(llama, one_step, three, targets(3), np.array([2.0, 1, 1]))
    again = teach(llama, one_step, four, targets(3)[[0, 0, 1, 2]], np.full(4, 4 / 3))
    assert_same(doubled, again, atol=2e-5)


def test_a_soft_target_is_a_row_for_each_answer(llama: str) -> None:
    # One example with targets .75, .25 has the gradient of two with weights .75 * 2 and .25 * 2.
    one_step = tuning(epochs=1, max_grad_norm=1e9)
    soft = teach(llama, one_step, asked(1), np.array([[0.75, 0.25]]), np.ones(1))
    twice = teach(llama, one_step, asked(1) * 2, np.eye(2), np.array([1.5, 0.5]))
    assert_same(soft, twice, atol=2e-5)


def test_a_step_in_parts_is_the_step_as_a_whole(causal: str) -> None:
    weights = np.array([0.2, 3, 1, 1, 0.5, 2, 1, 1.5])
    soft = np.array([[0.7, 0.3], [0, 1]] * 4)
    whole = teach(causal, tuning(batch_size=8), asked(8), soft, weights)
    parts = tuning(batch_size=8).model_copy(update={"token_budget": 12})
    assert_same(whole, teach(causal, parts, asked(8), soft, weights), atol=2e-5)


class Stopping(Checkpoints):
    """Keeps checkpoints up to a step, as if the run had been killed there."""

    def __init__(self, folder: Path, last: int) -> None:
        super().__init__(folder)
        self.last = last

    def save(self, step: int, *rest: Any) -> None:
        if step <= self.last:
            super().save(step, *rest)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_killed_run_ends_bit_identical(llama: str, tmp_path: Path, stop: int) -> None:
    plain = tuning(checkpoint_steps=1, epochs=3, lora=Adapters(rank=2, dropout=0.2))  # 6 steps
    data = (asked(8), targets(8), np.linspace(0.5, 1.5, 8))
    undisturbed = teach(llama, plain, *data)
    teach(llama, plain, *data, steps=6, checkpoints=Stopping(tmp_path, stop))
    torch.manual_seed(99)  # another process
    resumed = teach(llama, plain, *data, checkpoints=Checkpoints(tmp_path))
    assert_same(undisturbed, resumed)
    assert undisturbed.log == resumed.log


def test_the_answer_is_learnt_and_so_is_its_end(llama: str) -> None:
    fitted = teach(llama, tuning(epochs=30), asked(10), targets(10), np.ones(10))
    ids = fitted.tokenizer("a plot is very bad is", return_tensors="pt")
    with torch.inference_mode():
        made = fitted.model.generate(**ids, max_new_tokens=8, do_sample=False)[0]
    assert fitted.tokenizer.decode(made[6:]) == "very bad good"  # and stops: "good" is the end


@pytest.mark.parametrize("where", ["all_linear", "query_value"])
def test_adapters_train_alone_and_are_saved_merged(causal: str, tmp_path: Path, where: Any) -> None:
    lora = Adapters(rank=2, targets=where)
    fitted = teach(causal, tuning(lora=lora), asked(8), targets(8), np.ones(8))
    trained = [name for name, p in fitted.model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora" in name for name in trained)
    if where == "query_value":
        assert all("q_proj" in n or "v_proj" in n or "c_attn" in n for n in trained)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        before = fitted.model(input_ids=ids).logits
        fitted.save(tmp_path)
        after = AutoModelForCausalLM.from_pretrained(tmp_path)(input_ids=ids).logits
        base = AutoModelForCausalLM.from_pretrained(causal)(input_ids=ids).logits
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(base, after, atol=1e-3)


def test_the_top_blocks_can_be_trained_alone(llama: str) -> None:
    fitted = teach(llama, tuning(train_layers=1), asked(8), targets(8), np.ones(8))
    base = dict(AutoModelForCausalLM.from_pretrained(llama).named_parameters())
    moved = {n for n, p in parameters(fitted).items() if not torch.equal(p, base[n])}
    assert moved
    assert not any("layers.0." in name or "embed" in name for name in moved)
    both = tuning(train_layers=1, lora=Adapters())
    with pytest.raises(ConfigError, match="exclude each other"):
        teach(llama, both, asked(8), targets(8), np.ones(8))


def test_a_half_precision_checkpoint_is_trained_in_float32(llama: str, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(llama).to(torch.bfloat16).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(llama) / name, tmp_path / name)
    gentle = tuning(learning_rate=1e-6, epochs=1, batch_size=8, precision="bf16")
    fitted = teach(str(tmp_path), gentle, asked(8), targets(8), np.ones(8))
    start = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    trained, weight = parameters(fitted), "model.layers.0.mlp.up_proj.weight"
    assert trained[weight].dtype == torch.float32
    moved = trained[weight] != dict(start.named_parameters())[weight]
    assert moved.float().mean() > 0.9  # in bf16 a step of 1e-6 would round away nearly everywhere


def test_an_exploding_run_stops(llama: str) -> None:
    wild = tuning(learning_rate=1e38, max_grad_norm=1e38)
    with pytest.raises(TrainingError, match=r"is (nan|inf) at step \d"):
        teach(llama, wild, asked(8), targets(8), np.ones(8))


# What does not fit


def test_a_long_prompt_is_cut_in_its_item_and_the_answer_stays(llama: str) -> None:
    item = "very " * 90 + "bad"
    long = PromptedQuestion(
        "l", "plain", f"a plot {item} is", (" good", " very bad"), item=(7, 7 + len(item))
    )
    from steelyard.models.load import load_tokenizer

    words = load_tokenizer(Pretrained(model=llama))
    taught = encode_answers(words, [asked(1)[0], long], np.array([[0, 1.0]] * 2), 20)
    text = words.decode(taught.encoded.tokens[taught.encoded.starts[1] :])
    # 20 tokens: a plot (2), the item's first 14, is (1), very bad and the end (3).
    assert text == "a plot " + "very " * 14 + "is very bad good"
    assert (taught.encoded.truncated, taught.fit.tolist()) == (1, [0, 1])


def test_an_answer_that_does_not_fit_is_left_out_and_counted(llama: str) -> None:
    long = PromptedQuestion("l", "plain", "a plot is", (" good", " very" * 70))
    prompts, of = [*asked(4), long], np.array([[0, 1.0]] * 5)
    weights = np.array([1.0, 1, 1, 2, 5])
    fitted = teach(llama, tuning(epochs=1, batch_size=8), prompts, of, weights)
    assert fitted.dropped == 1
    assert_same(fitted, teach(llama, tuning(epochs=1, batch_size=8), asked(4), of[:4], weights[:4]))
    with pytest.raises(InputError, match="None of 1 answers fits into 64 tokens"):
        teach(llama, tuning(), [long], of[:1], np.ones(1))


def test_a_model_without_an_end_token_is_refused(llama: str, tmp_path: Path) -> None:
    folder = shutil.copytree(llama, tmp_path / "endless")
    words = tokenizer(pairs=False)
    words.eos_token = None
    words.save_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    config.eos_token_id = None  # which would stand in for the tokenizer's
    config.save_pretrained(folder)
    with pytest.raises(ConfigError, match="has no end token"):
        teach(str(folder), tuning(), asked(4), targets(4), np.ones(4))
