"""Pairs as rows: how both answers are put, and which pairs are left out or refused."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from steelyard.errors import ConfigError, InputError
from steelyard.models.lm.pair_batches import encode_pairs
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.types import Question
from tiny_models import tokenizer
from word_pairs import assert_same, fit, pairs, right, student


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
    assert (taught.fit.tolist(), taught.encoded.truncated) == ([1], 1)


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
                after = -fitted.model(input_ids=ids, labels=labels).loss * size
                gain = after + before(input_ids=ids, labels=labels).loss * size
            assert rewards[i, c] == pytest.approx(0.1 * gain.item(), abs=2e-6)
    probs = fitted.probabilities(pairs(8))
    np.testing.assert_allclose(probs[:, 0], 1 / (1 + np.exp(rewards[:, 1] - rewards[:, 0])))


def test_pairs_that_say_nothing_are_left_out_and_counted(llama: str) -> None:
    none = [
        Question("same", "the film is", ("good", "good ")),
        Question("empty", "the film is", ("good", " ")),
        Question("long", "the film is", ("good", "very " * 70)),
    ]
    settings = student(llama, max_tokens=32)
    mixed = fit(settings, [*none, *pairs(8)], np.vstack([right(3), right(8)]), [1, 0, 1] + [1] * 8)
    assert mixed.dropped == {"empty answer": 0, "equal answers": 1, "too long": 1}
    assert mixed.training_record()["dropped"] == 2
    every = fit(settings, [*none, *pairs(8)], np.vstack([right(3), right(8)]), np.ones(11))
    assert every.dropped == {"empty answer": 1, "equal answers": 1, "too long": 1}
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


def test_what_cannot_be_taught_is_refused(llama: str) -> None:
    with pytest.raises(InputError, match=r"None of 1 pairs .* dropped are 1 \(equal answers\)"):
        fit(student(llama), [Question("q", "the", ("a", "a"))], right(1), [1])
    with pytest.raises(InputError, match="two choices; 'q' has 3"):
        fit(student(llama), [Question("q", "the", ("a", "is", "was"))], right(1), [1])
    with pytest.raises(InputError, match="that of 'p0' is even"):
        fit(student(llama, loss="robust"), pairs(2), np.full((2, 2), 0.5), [1, 1])
    with pytest.raises(ConfigError, match="the task is generation"):
        student(llama).check_task("generation")
