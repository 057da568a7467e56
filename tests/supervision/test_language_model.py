"""A language model as a weak supervisor: closed answers weighed, open ones written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM

from requests_for_tests import vote
from steelyard.errors import ConfigError
from steelyard.supervision import LanguageModelVoters
from steelyard.types import ABSTAIN, Question, Split, Votes
from tiny_models import llama_config, tokenizer

ITEMS = ["the film is", "a plot was", "the plot is very", "a film was very", "the film was"]
NOBODY = Split((), np.zeros(0, dtype=np.int64))
BARE = {"name": "bare", "template": "{item}"}
LISTED = {"name": "listed", "template": "{item} {answers}"}


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("causal")
    torch.manual_seed(0)
    config = llama_config(layers=2)
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer(pairs=False).save_pretrained(folder)
    return str(folder)


def supervisor(model: str, **settings: Any) -> LanguageModelVoters:
    plain = {
        "queries": 2,
        "wordings": (BARE, LISTED),
        "orders": False,
        "precision": "fp32",
        "answer": None,
    }
    return LanguageModelVoters(model=model, **{**plain, **settings})


def asked(count: int = 5) -> list[Question]:
    return [Question(f"q{i}", ITEMS[i % len(ITEMS)]) for i in range(count)]


def lesson(count: int = 20) -> Split:
    """Films are good, plots are bad."""
    questions = [Question(f"t{i}", ITEMS[i % len(ITEMS)]) for i in range(count)]
    return Split(tuple(questions), np.array([int("plot" in q.text) for q in questions]))


def same(one: Votes, other: Votes) -> bool:
    probs = one.probs is None or np.allclose(one.probs, other.probs, atol=1e-5)
    return bool(probs) and np.array_equal(one.answer, other.answer) and one.texts == other.texts


def test_closed_votes_have_every_voter_query_and_probability(causal: str) -> None:
    (votes,) = vote(supervisor(causal), NOBODY, [asked()], ("fine", "awful"), seed=0)
    assert votes.ids == ("q0", "q1", "q2", "q3", "q4")
    assert votes.queries == ("0-bare", "1-listed")
    assert votes.voters == (f"{Path(causal).name}/0",)
    assert votes.probs is not None
    assert votes.probs.shape == (10, 2)
    assert votes.answer.tolist() == votes.probs.argmax(axis=1).tolist()


def test_raw_log_probs_are_kept_with_every_vote(causal: str) -> None:
    """Of two voters and two queries, in the order of the votes; their softmax are the votes'
    probabilities. " very bad" has two tokens of this tokenizer and 8 bytes, " good" one and 4."""
    weak = supervisor(causal, voters=2, finetune={"lora": None, "epochs": 1})
    classes = ("good", "very bad")
    (votes,) = vote(weak, lesson(8), [asked(3)], classes, seed=0)
    assert votes.raw is not None
    assert votes.probs is not None
    power = np.exp(votes.raw.log_probs)
    assert power / power.sum(axis=1, keepdims=True) == pytest.approx(votes.probs)
    assert votes.raw.tokens.tolist() == [[1, 2]] * 12
    assert votes.raw.bytes.tolist() == [[4, 8]] * 12


def test_an_example_votes_alike_wherever_it_stands(causal: str) -> None:
    classes = ("fine", "awful")
    weak = supervisor(causal, wordings=None, queries=3, orders=True)
    (whole,) = vote(weak, NOBODY, [asked(4)], classes, seed=0)
    (turned,) = vote(weak, NOBODY, [asked(4)[::-1]], classes, seed=0)
    assert whole.probs is not None
    assert turned.probs is not None
    back = turned.probs.reshape(4, 3, 2)[::-1].reshape(12, 2)
    assert back == pytest.approx(whole.probs, abs=1e-5)


def test_multiple_choice_with_unequal_numbers_of_options(causal: str) -> None:
    questions = [Question("a", "the film", ("good", "bad")), Question("b", "a plot", ("fine",) * 3)]
    weak = supervisor(causal, answer="text")
    (votes,) = vote(weak, NOBODY, [questions], ("0", "1", "2"), seed=0)
    assert votes.candidates.tolist() == [2, 3]
    assert votes.probs is not None
    assert votes.probs[:2, 2].tolist() == [0, 0]
    assert votes.probs[2:] == pytest.approx(1 / 3)  # three equal texts


def test_a_taught_model_knows_the_answers(causal: str) -> None:
    """Before: near even. After 40 epochs: right about each, in both wordings."""
    teaching = {"epochs": 40, "learning_rate": 1e-2, "batch_size": 10, "lora": None}
    weak = supervisor(causal, finetune={**teaching, "precision": "fp32"})
    truth = lesson(5).truth.repeat(2)
    (votes,) = vote(weak, lesson(), [asked()], ("fine", "awful"), seed=0)
    assert votes.probs is not None
    assert votes.answer.tolist() == truth.tolist()
    assert votes.probs[np.arange(10), truth].min() > 0.9
    (before,) = vote(supervisor(causal), NOBODY, [asked()], ("fine", "awful"), seed=0)
    assert before.probs is not None
    assert before.probs.max() < 0.7


def test_voters_are_taught_apart_and_each_is_reproduced(causal: str) -> None:
    teaching = {"epochs": 2, "learning_rate": 1e-2, "batch_size": 10}
    one, three = (supervisor(causal, voters=v, finetune=teaching) for v in (2, 3))
    (first,) = vote(one, lesson(), [asked()], ("fine", "awful"), seed=0)
    (more,) = vote(three, lesson(), [asked()], ("fine", "awful"), seed=0)
    assert same(more.of_voter(0), first.of_voter(0))
    assert same(more.of_voter(1), first.of_voter(1))
    assert not same(first.of_voter(0), first.of_voter(1))


def test_open_answers_are_written_and_read(causal: str) -> None:
    weak = supervisor(causal, samples=4, temperature=1.0, max_new_tokens=3, reader="text")
    (votes,) = vote(weak, NOBODY, [asked()], (), seed=0)
    assert votes.queries[:4] == ("0-bare/0", "0-bare/1", "0-bare/2", "0-bare/3")
    assert len(votes.answer) == 5 * 8
    for m, (text, reason) in enumerate(zip(votes.texts, votes.reasons, strict=True)):
        own = votes.candidate_texts[votes.example[m]]
        if votes.answer[m] == ABSTAIN:
            assert reason in ("cut off", "empty")
        else:
            assert own[votes.answer[m]] == text.strip().casefold()
    assert (votes.answer == ABSTAIN).any()
    assert (votes.answer != ABSTAIN).any()


def test_open_answers_can_be_taught(causal: str) -> None:
    questions = lesson().questions
    answers = tuple("very bad" if "plot" in q.text else "fine" for q in questions)
    split = Split(questions, np.zeros(len(questions), dtype=np.int64), answers)
    teaching = {"epochs": 20, "learning_rate": 1e-2, "batch_size": 10, "lora": None}
    weak = supervisor(causal, max_new_tokens=5, finetune={**teaching, "precision": "fp32"})
    (votes,) = vote(weak, split, [asked()], (), seed=0)
    said = [votes.candidate_texts[i][a] for i, a in zip(votes.example, votes.answer, strict=True)]
    assert said == [answer for answer in answers[:5] for _ in range(2)]


def test_what_does_not_fit_abstains_with_its_reason(causal: str) -> None:
    """Options alone take more than the context of 64 tokens."""
    long = tuple(" ".join(["film"] * n) for n in (40, 41))
    questions = [Question("a", "the film", long), Question("b", "a plot", ("good", "bad"))]
    weak = supervisor(causal, wordings=("short",), queries=1)
    (votes,) = vote(weak, NOBODY, [questions], ("0", "1"), seed=0)
    assert votes.reasons == ("too long", "")
    assert votes.answer[0] == ABSTAIN
    assert votes.answer[1] != ABSTAIN


def test_cut_prompts_are_said(causal: str, caplog: pytest.LogCaptureFixture) -> None:
    questions = [Question("a", " ".join(["film"] * 100)), Question("b", "a plot")]
    vote(supervisor(causal), NOBODY, [questions], ("fine", "awful"), seed=0)
    assert "2 of 4 prompts were too long" in caplog.text


def test_no_questions_make_no_votes(causal: str) -> None:
    votes, empty = vote(supervisor(causal), NOBODY, [asked(1), []], ("fine", "awful"), seed=0)
    assert len(votes.answer) == 2
    assert len(empty.answer) == 0


def test_inputs_are_weights_and_paraphrases(causal: str, tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"id": "q0", "texts": ["a film was"]}\n')
    plain, other = supervisor(causal), supervisor(causal, paraphrases=str(path))
    assert set(plain.inputs()) == {"model"}
    assert other.inputs()["model"] == plain.inputs()["model"]
    before = other.inputs()["paraphrases"]
    path.write_text('{"id": "q0", "texts": ["the film was"]}\n')
    assert other.inputs()["paraphrases"] != before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"voters": 2}, "copies of one model"),
        ({"samples": 2}, "copies of one reply"),
        ({"model_name": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        supervisor("nowhere", **settings)


def test_a_model_must_be_named() -> None:
    with pytest.raises(ValidationError, match="model"):
        LanguageModelVoters.model_validate({"kind": "language_model"})


def test_closed_answers_are_not_sampled() -> None:
    weak = supervisor("nowhere", samples=2, temperature=1.0)
    with pytest.raises(ConfigError, match="are scored, not drawn"):
        weak.check_task("classification")
    weak.check_task("generation")


def test_a_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder without config"):
        vote(supervisor(str(tmp_path)), NOBODY, [asked()], ("fine", "awful"), seed=0)
