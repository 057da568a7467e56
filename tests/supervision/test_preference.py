"""Weak implicit rewards: voters that are preference-tuned on few pairs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from requests_for_tests import fit as train
from requests_for_tests import vote
from steelyard.errors import ConfigError
from steelyard.student import PreferenceStudent
from steelyard.supervision import PreferenceVoters
from steelyard.types import ABSTAIN, PAIR, Question, Split, one_hot
from tiny_models import llama_config, tokenizer

GOOD, BAD = ["good", "very good", "fine"], ["bad", "awful", "very bad"]
PLAIN: dict[str, Any] = {
    **{"lora": None, "learning_rate": 1e-2, "epochs": 4, "batch_size": 4},
    **{"precision": "fp32", "max_tokens": 32},
}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(llama_config(layers=2)).save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def labelled(count: int) -> Split:
    """The good answer stands first in even questions."""
    made = [
        Question(f"p{i}", "the film is", (GOOD[i % 3], BAD[i // 2 % 3])[:: 1 if i % 2 == 0 else -1])
        for i in range(count)
    ]
    return Split(tuple(made), np.arange(count) % 2)


def test_a_voter_says_what_a_student_of_the_same_pairs_says(llama: str) -> None:
    # A single voter has all rows; its training seed is the first draw of default_rng([seed, 0]).
    data = labelled(8)
    votes = vote(PreferenceVoters(model=llama, **PLAIN), data, [data.questions], PAIR, seed=3)[0]
    seed = int(np.random.default_rng([3, 0]).integers(2**31))
    student = PreferenceStudent(model=llama, **PLAIN)
    fitted = train(student, data.questions, one_hot(data.truth, 2), np.ones(8), seed=seed)
    assert votes.probs is not None
    np.testing.assert_allclose(votes.probs, fitted.probabilities(data.questions), atol=1e-6)
    assert votes.voters == (f"{Path(llama).name}-dpo/0",)


def test_adding_a_voter_changes_no_other(llama: str) -> None:
    data = labelled(8)
    few, more = (
        vote(PreferenceVoters(model=llama, voters=v, **PLAIN), data, [data.questions], PAIR, seed=0)
        for v in (2, 3)
    )
    np.testing.assert_array_equal(few[0].of_voter(1).probs, more[0].of_voter(1).probs)
    assert not np.array_equal(more[0].of_voter(0).probs, more[0].of_voter(1).probs)


def test_a_pair_that_does_not_fit_abstains_and_says_so(llama: str) -> None:
    asked = [Question("long", "the film is", ("good", "very " * 40)), labelled(1).questions[0]]
    votes = vote(PreferenceVoters(model=llama, **PLAIN), labelled(8), [asked], PAIR, seed=0)[0]
    assert votes.answer[0] == ABSTAIN
    assert votes.answer[1] != ABSTAIN
    assert votes.reasons == ("too long", "")
    assert votes.means()[0].tolist() == [0.5, 0.5]


def test_another_task_is_refused(llama: str) -> None:
    with pytest.raises(ConfigError, match="compares two answers, and the task is multiple_choice"):
        PreferenceVoters(model=llama).check_task("multiple_choice")
