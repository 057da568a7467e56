"""Preference training: weights and doubts act, and a stop changes nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from steelyard.errors import TrainingError
from steelyard.io.rows import read_rows
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.lm.finetune_lm import Adapters
from steelyard.types import Question, one_hot
from word_pairs import SMALL, assert_same, differ, fit, pairs, right, student


@pytest.mark.parametrize("loss", ["sigmoid", "robust", "ipo", "hinge"])
def test_the_preferred_answers_are_learnt(llama: str, loss: Any) -> None:
    fitted = fit(student(llama, epochs=12, loss=loss), pairs(16), right(16), np.ones(16))
    assert (fitted.probabilities(pairs(16)).argmax(axis=1) == np.arange(16) % 2).mean() > 0.9
    assert fitted.log.loss[-1] < fitted.log.loss[0]
    assert fitted.training_record() == {"truncated": 0, "dropped": 0}


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


def test_a_loss_that_is_no_number_stops(llama: str) -> None:
    with pytest.raises(TrainingError, match=r"is (nan|inf)"):
        fit(student(llama, learning_rate=1e38, epochs=9), pairs(8), right(8), np.ones(8))


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
