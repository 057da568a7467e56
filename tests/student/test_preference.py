"""Preference training: weights and doubts act, bad pairs are counted, a stop changes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from steelyard.errors import ConfigError, InputError, TrainingError
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.completion import Adapters
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.losses.preference import dpo
from steelyard.models.pairs import encode_pairs
from steelyard.rows import read_rows
from steelyard.student.preference import FittedPreference, Preference
from steelyard.types import Floats, Question, one_hot
from tiny_models import llama_config, tokenizer

GOOD = ["good", "very good", "fine", "not bad"]
BAD = ["bad", "awful", "very bad", "not good"]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(llama_config(layers=2)).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def pairs(count: int) -> list[Question]:
    """The good answer stands first in even questions."""
    made = []
    for i in range(count):
        both = (GOOD[i % 4], BAD[(i // 2) % 4])
        prompt = f"the {'film' if i % 3 else 'plot'} is"
        made.append(Question(f"p{i}", prompt, both if i % 2 == 0 else both[::-1]))
    return made


def right(count: int) -> Floats:
    return one_hot(np.arange(count) % 2, 2)


def student(model: str, **changes: Any) -> Preference:
    plain = {"precision": "fp32", "learning_rate": 1e-2, "epochs": 2, "batch_size": 4}
    return Preference(model=model, **{**plain, "lora": None, "warmup": 0.0, **changes})


SMALL = 1e-3
"""A beta with which the rounding of gradients that cancel stays below Adam's epsilon."""


def fit(
    settings: Preference, questions: list[Question], targets: Floats, weights: Any, **more: Any
) -> FittedPreference:
    return settings.fit(questions, targets, np.asarray(weights, dtype=float), seed=1, **more)


def assert_same(one: FittedPreference, other: FittedPreference, atol: float = 0.0) -> None:
    others = dict(other.preferrer.model.named_parameters())
    for name, value in one.preferrer.model.named_parameters():
        torch.testing.assert_close(value, others[name], atol=atol, rtol=0, msg=name)


def differ(one: FittedPreference, other: FittedPreference) -> float:
    others = dict(other.preferrer.model.named_parameters())
    each = one.preferrer.model.named_parameters()
    return max(float((p - others[name]).detach().abs().max()) for name, p in each)


# The rows


def test_both_answers_follow_the_prompt_as_it_stands(llama: str) -> None:
    taught = encode_pairs(load_tokenizer(Pretrained(model=llama)), pairs(1), 64)
    words = tokenizer(pairs=False).convert_ids_to_tokens(taught.encoded.tokens)
    assert " ".join(words) == "the plot is good good the plot is bad good"  # "good" is the end
    assert taught.prompt.tolist() == [3, 3]
    assert taught.encoded.rows.tolist() == [0, 2]


def test_a_long_prompt_loses_its_beginning_and_a_long_answer_its_place(llama: str) -> None:
    # Seven tokens: the answer "very bad" and its end leave four for both prompts of the first
    # pair; eight words and an end do not fit with a prompt at all.
    long = Question("long", "a plot is awful the film is", ("good", "very bad"))
    lost = Question("lost", "the film is", ("fine", "very " * 8))
    taught = encode_pairs(load_tokenizer(Pretrained(model=llama)), [lost, long], 7)
    words = tokenizer(pairs=False).convert_ids_to_tokens(taught.encoded.tokens)
    assert " ".join(words) == "awful the film is good good awful the film is very bad good"
    assert (taught.fit.tolist(), taught.encoded.cut) == ([1], 1)


def test_rewards_are_those_of_each_row_alone(llama: str) -> None:
    # A second implementation: one row at a time, transformers' own loss, no padding.
    fitted = fit(student(llama), pairs(8), right(8), np.ones(8))
    before = AutoModelForCausalLM.from_pretrained(llama).eval()
    words = load_tokenizer(Pretrained(model=llama))
    rewards = fitted.rewards(pairs(8))
    for i, one in enumerate(pairs(8)):
        for c, choice in enumerate(one.choices):
            ids = torch.tensor([[*words(f"{one.text} {choice}")["input_ids"], words.eos_token_id]])
            labels = ids.clone()
            labels[0, :3] = -100
            size = ids.shape[1] - 3
            with torch.inference_mode():
                after = -fitted.preferrer.model(input_ids=ids, labels=labels).loss * size
                gain = after + before(input_ids=ids, labels=labels).loss * size
            assert rewards[i, c] == pytest.approx(0.1 * gain.item(), abs=2e-6)
    probs = fitted.probabilities(pairs(8))
    np.testing.assert_allclose(probs[:, 0], 1 / (1 + np.exp(rewards[:, 1] - rewards[:, 0])))


# Training


@pytest.mark.parametrize("loss", ["sigmoid", "robust", "ipo", "hinge"])
def test_the_preferred_answers_are_learnt(llama: str, loss: Any) -> None:
    fitted = fit(student(llama, epochs=12, loss=loss), pairs(16), right(16), np.ones(16))
    assert (fitted.probabilities(pairs(16)).argmax(axis=1) == np.arange(16) % 2).mean() > 0.9
    assert fitted.log.loss[-1] < fitted.log.loss[0]
    assert (fitted.cut, fitted.left_out) == (0, 0)


def test_training_begins_at_the_loss_of_an_even_guess(llama: str) -> None:
    # Before the first step pi = ref, so D = 0: -ln s(0) = ln 2 = .693147 whatever the doubt.
    soft = np.tile([0.8, 0.2], (4, 1))
    log = fit(student(llama), pairs(4), soft, np.ones(4)).log
    assert log.loss[0] == pytest.approx(0.693147, abs=1e-5)


def test_a_pair_of_weight_zero_changes_nothing(llama: str) -> None:
    weights = np.array([1, 0, 2, 1, 0, 1, 1, 1.0])
    kept = np.flatnonzero(weights)
    every = fit(student(llama), pairs(8), right(8), weights)
    few = [pairs(8)[i] for i in kept]
    assert_same(every, fit(student(llama), few, right(8)[kept], weights[kept]))


def test_doubling_a_weight_is_doubling_the_pair(llama: str) -> None:
    # One full-batch step: (2a + b + c) / 3 with weights 2, 1, 1 over three pairs has the gradient
    # of (a + a + b + c) / 4 with weights 4/3 over four.
    one_step = student(llama, epochs=1, batch_size=8, beta=SMALL)
    rows = [0, 0, 1, 2]
    doubled = fit(one_step, pairs(3), right(3), [2, 1, 1])
    again = fit(one_step, [pairs(3)[i] for i in rows], right(3)[rows], [4 / 3] * 4)
    assert_same(doubled, again, atol=2e-5)
    assert differ(doubled, fit(one_step, pairs(3), right(3), [1, 1, 1])) > 1e-4


def test_doubt_acts_and_holds_the_model_back(llama: str) -> None:
    sure = fit(student(llama), pairs(8), right(8), np.ones(8))
    doubtful = fit(student(llama), pairs(8), 0.8 * right(8) + 0.1, np.ones(8))
    assert differ(sure, doubtful) > 1e-4
    margins = [np.ptp(one.rewards(pairs(8)), axis=1).mean() for one in (sure, doubtful)]
    assert margins[1] < margins[0]


def test_the_order_of_the_two_answers_does_not_matter(llama: str) -> None:
    turned = [Question(one.id, one.text, one.choices[::-1]) for one in pairs(8)]
    soft = 0.8 * right(8) + 0.1
    one = fit(student(llama, beta=SMALL), pairs(8), soft, np.ones(8))
    other = fit(student(llama, beta=SMALL), turned, soft[:, ::-1], np.ones(8))
    assert_same(one, other, atol=2e-5)


def test_a_step_in_parts_is_the_step_as_a_whole(llama: str) -> None:
    weights = np.array([0.2, 3, 1, 1, 0.5, 2, 1, 1.5])  # 8 pairs of 2 rows of 5 or 6 tokens
    whole = student(llama, batch_size=8, epochs=1, beta=SMALL)
    parts = whole.model_copy(update={"token_budget": 64})
    soft = 0.8 * right(8) + 0.1
    assert_same(fit(whole, pairs(8), soft, weights), fit(parts, pairs(8), soft, weights), atol=2e-5)


class Stopping(Checkpoints):
    """Keeps checkpoints up to a step, as if the run had been killed there."""

    def save(self, step: int, *rest: Any) -> None:
        if step <= 2:
            super().save(step, *rest)


def test_a_killed_run_ends_bit_identical(llama: str, tmp_path: Path) -> None:
    settings = student(llama, checkpoint_steps=1, epochs=3, lora=Adapters(rank=2, dropout=0.2))
    data = (pairs(8), right(8), np.linspace(0.5, 1.5, 8))
    undisturbed = fit(settings, *data)
    fit(settings, *data, checkpoints=Stopping(tmp_path))
    torch.manual_seed(99)  # another process
    resumed = fit(settings, *data, checkpoints=Checkpoints(tmp_path))
    assert_same(undisturbed, resumed)
    assert undisturbed.log == resumed.log


def test_adapters_train_alone_and_are_saved_merged(llama: str, tmp_path: Path) -> None:
    fitted = fit(student(llama, lora=Adapters(rank=2)), pairs(8), right(8), np.ones(8))
    rewards = fitted.rewards(pairs(8))
    assert np.abs(rewards).max() > 0
    fitted.save(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        base = AutoModelForCausalLM.from_pretrained(llama)(input_ids=ids).logits
        assert not torch.allclose(again(input_ids=ids).logits, base, atol=1e-4)
    np.testing.assert_allclose(fitted.rewards(pairs(8)), rewards, atol=1e-5)  # after merging


# Real pairs, a real tokenizer


@pytest.fixture(scope="module")
def harmless(shared_data: Path) -> list[Question]:
    """Twelve short pairs of HH-RLHF; the chosen answer first."""
    found = []
    for _, row in read_rows(shared_data / "hh_harmless_single" / "train.jsonl.gz"):
        if len(row["prompt"]) + max(len(row["chosen"]), len(row["rejected"])) < 260:
            found.append(Question(row["id"], row["prompt"], (row["chosen"], row["rejected"])))
        if len(found) == 12:
            break
    return found


@pytest.fixture(scope="module")
def small(shared_data: Path) -> str:
    return str(shared_data.parent / "models" / "nlu-llama-small")


def test_weights_of_zero_change_nothing_on_real_pairs(small: str, harmless: list[Question]) -> None:
    weights = np.array([1, 0, 2, 1, 0, 1, 1, 1, 0, 0.5, 1, 1])
    kept = np.flatnonzero(weights)
    settings, first = student(small, learning_rate=1e-4, epochs=1), one_hot(np.zeros(12, int), 2)
    every = fit(settings, harmless, first, weights)
    few = fit(settings, [harmless[i] for i in kept], first[kept], weights[kept])
    assert_same(every, few)
    assert differ(every, fit(settings, harmless, first, np.ones(12), steps=2)) > 1e-5


def test_doubling_a_weight_is_doubling_a_real_pair(small: str, harmless: list[Question]) -> None:
    # As above: weights (2, 1, 1, 1) of four pairs against weights 5/4 of five.
    one_step = student(small, learning_rate=1e-3, epochs=1, batch_size=8, beta=SMALL)
    rows, first = [0, 0, 1, 2, 3], one_hot(np.zeros(5, int), 2)
    doubled = fit(one_step, harmless[:4], first[:4], [2, 1, 1, 1])
    again = fit(one_step, [harmless[i] for i in rows], first, [5 / 4] * 5)
    even = fit(one_step, harmless[:4], first[:4], [1, 1, 1, 1])
    assert differ(doubled, again) < differ(doubled, even) / 20
    assert_same(doubled, again, atol=5e-5)


# Bad input


def test_pairs_that_say_nothing_are_left_out_and_counted(llama: str) -> None:
    none = [
        Question("same", "the film is", ("good", "good ")),
        Question("empty", "the film is", ("good", " ")),
        Question("long", "the film is", ("good", "very " * 70)),
    ]
    settings = student(llama, max_tokens=32)
    mixed = fit(settings, [*none, *pairs(8)], np.vstack([right(3), right(8)]), [1, 0, 1] + [1] * 8)
    assert mixed.preferrer.left_out == {"empty answer": 0, "equal answers": 1, "too long": 1}
    assert mixed.left_out == 2
    every = fit(settings, [*none, *pairs(8)], np.vstack([right(3), right(8)]), np.ones(11))
    assert every.preferrer.left_out == {"empty answer": 1, "equal answers": 1, "too long": 1}
    alone = fit(settings, pairs(8), right(8), np.ones(8), steps=settings.planned_steps(11))
    assert_same(every, alone)


def test_a_question_that_does_not_fit_is_wrong_when_asked(llama: str) -> None:
    fitted = fit(student(llama, max_tokens=16), pairs(8), right(8), np.ones(8))
    lost = Question("lost", "the film is", ("good", "very " * 20))
    probs = fitted.probabilities([lost, *pairs(2)])
    assert probs.shape == (3, 3)
    assert probs[0].tolist() == [0, 0, 1]
    assert not probs[1:, 2].any()
    assert np.isnan(fitted.rewards([lost])).all()


def test_a_loss_that_is_no_number_stops(llama: str) -> None:
    with pytest.raises(TrainingError, match=r"is (nan|inf)"):
        fit(student(llama, learning_rate=1e38, epochs=9), pairs(8), right(8), np.ones(8))


def test_what_cannot_be_taught_is_refused(llama: str) -> None:
    with pytest.raises(InputError, match=r"None of 1 pairs .* left out are 1 \(equal answers\)"):
        fit(student(llama), [Question("q", "the", ("a", "a"))], right(1), [1])
    with pytest.raises(InputError, match="two choices; 'q' has 3"):
        fit(student(llama), [Question("q", "the", ("a", "is", "was"))], right(1), [1])
    with pytest.raises(InputError, match="that of 'p0' is even"):
        fit(student(llama, loss="robust"), pairs(2), np.full((2, 2), 0.5), [1, 1])
    with pytest.raises(ConfigError, match="the task is generation"):
        student(llama).check_task("generation")


# TRL's trainer

deprecated_in_trl = pytest.mark.filterwarnings("ignore:.*_checkpointing:FutureWarning")


@deprecated_in_trl
def test_trl_s_trainer_has_the_same_loss_and_gradients(llama: str, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="preferences inside TRL's trainer need steelyard[trl]")
    for loss in ("sigmoid", "robust", "ipo", "hinge"):
        trainer = trl_trainer(llama, tmp_path / loss, loss=loss)
        model = trainer.model
        torch.manual_seed(3)
        with torch.no_grad():  # away from the reference, or D = 0
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        batch = next(iter(trainer.get_train_dataloader()))
        found = trainer.compute_loss(model, batch)
        found.backward()
        gradients = [p.grad.clone() for p in model.parameters()]
        expected = second_loss(model, llama, loss)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        model.zero_grad()
        expected.backward()
        for one, parameter in zip(gradients, model.parameters(), strict=True):
            torch.testing.assert_close(one, parameter.grad, atol=1e-5, rtol=1e-4)


WEIGHTS, DOUBTS = [0.5, 2.0, 0.0, 1.5], [0.0, 0.3, 0.2, 0.1]


def trl_rows(**changes: Any) -> Any:
    from datasets import Dataset

    rows = {
        "prompt": [f"{one.text} " for one in pairs(4)],
        "chosen": [one.choices[i % 2] for i, one in enumerate(pairs(4))],
        "rejected": [one.choices[1 - i % 2] for i, one in enumerate(pairs(4))],
        "weight": WEIGHTS,
        "label_smoothing": DOUBTS,
    }
    return Dataset.from_dict({k: v for k, v in {**rows, **changes}.items() if v is not None})


def trl_trainer(model: str, folder: Path, rows: Any = None, **options: Any) -> Any:
    from trl import DPOConfig

    from steelyard.student.weighted_dpo import WeightedDPOTrainer

    plain = {"loss": "sigmoid", "precompute_ref_log_probs": True, **options}
    args = DPOConfig(
        output_dir=str(folder),
        loss_type=[plain.pop("loss")],
        beta=0.1,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=None,  # TRL's default is a deprecated name
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        **plain,
    )
    words = load_tokenizer(Pretrained(model=model))
    return WeightedDPOTrainer(
        AutoModelForCausalLM.from_pretrained(model),
        args,
        trl_rows() if rows is None else rows,
        processing_class=words,
    )


def second_loss(model: Any, folder: str, loss: Any) -> torch.Tensor:
    """The loss of the four pairs by transformers' own cross-entropy, a row at a time."""
    words = load_tokenizer(Pretrained(model=folder))
    before = AutoModelForCausalLM.from_pretrained(folder)
    sums: list[list[torch.Tensor]] = [[], [], [], []]
    for i, one in enumerate(pairs(4)):
        for place, choice in enumerate((one.choices[i % 2], one.choices[1 - i % 2])):
            answer = words(choice)["input_ids"]
            if answer[-1] != words.eos_token_id:  # TRL adds an end unless the text ends in it
                answer = [*answer, words.eos_token_id]
            ids = torch.tensor([[*words(one.text)["input_ids"], *answer]])
            labels = ids.clone()
            labels[0, : -len(answer)] = -100
            size = 1 if loss == "ipo" else len(answer)
            for k, which in enumerate((model, before)):
                outputs = which(input_ids=ids, labels=labels)
                sums[2 * k + place].append(-outputs.loss * size)
    return dpo(
        *(torch.stack(values) for values in sums[:2]),
        *(torch.stack(values).detach() for values in sums[2:]),
        weights=torch.tensor(WEIGHTS),
        label_smoothing=torch.tensor(DOUBTS),
        loss=loss,
    )


@deprecated_in_trl
def test_trl_s_trainer_trains_with_weights(llama: str, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="preferences inside TRL's trainer need steelyard[trl]")
    ends = []
    for name, weights in (("a", [1.0] * 4), ("b", [1.0, 1.0, 0.0, 0.0])):
        rows = trl_rows(weight=weights)
        trainer = trl_trainer(llama, tmp_path / name, rows, max_steps=2, logging_steps=1)
        trainer.train()
        assert {"rewards/margins", "rewards/accuracies"} <= set(trainer.state.log_history[0])
        ends.append([p.detach().clone() for p in trainer.model.parameters()])
    assert max(float((p - q).abs().max()) for p, q in zip(*ends, strict=True)) > 1e-5


@deprecated_in_trl
def test_trl_s_trainer_says_what_it_needs(llama: str, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="preferences inside TRL's trainer need steelyard[trl]")
    with pytest.raises(InputError, match="must have a column `weight`"):
        trl_trainer(llama, tmp_path, trl_rows(weight=None))
    with pytest.raises(
        InputError, match="`weight` of train row 1 must be a number from 0; got nan"
    ):
        trl_trainer(llama, tmp_path, trl_rows(weight=[1.0, float("nan"), 1.0, 1.0]))
    with pytest.raises(ConfigError, match="precompute_ref_log_probs"):
        trl_trainer(llama, tmp_path, precompute_ref_log_probs=False)
    with pytest.raises(ConfigError, match="must be one of"):
        trl_trainer(llama, tmp_path, loss="aot")
