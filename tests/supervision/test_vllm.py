"""`engine: vllm` gives the votes of `engine: transformers`; a model plays vLLM here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM

from byte_models import save_byte_llama
from fake_vllm import fake_vllm
from requests_for_tests import vote
from steelyard.errors import ConfigError
from steelyard.labelling import Items, label
from steelyard.supervision import LanguageModelVoters
from steelyard.types import Question, Split, Votes
from tiny_models import llama_config, tokenizer

__all__ = ["fake_vllm"]
ITEMS = ["the film is", "a plot was", "the plot is very", "a film was very", "the film was"]
QUESTIONS = [Question(f"q{i}", text) for i, text in enumerate(ITEMS)]
CHOICES = [Question(f"c{i}", text, ("a good film", "bad")) for i, text in enumerate(ITEMS)]
CLASSES = ("good", "bad")
NOBODY = Split((), np.zeros(0, dtype=np.int64))
BARE = {"name": "bare", "template": "{item}"}
CHATML = (
    "{% for m in messages %}[CLS] {{ m.role }} {{ m.content }} [SEP] {% endfor %}"
    "{% if add_generation_prompt %}[CLS] assistant {% endif %}"
)


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("causal")
    torch.manual_seed(1)
    config = llama_config(layers=2)
    config.eos_token_id = 5  # the tokenizer's end token, "good"
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    words = tokenizer(pairs=False)
    words.chat_template = CHATML
    words.save_pretrained(folder)
    return str(folder)


def supervisor(model: str, **settings: Any) -> LanguageModelVoters:
    plain = {"queries": 2, "orders": False, "precision": "fp32", "answer": "text"}
    return LanguageModelVoters(model=model, **{**plain, **settings})


def both(
    model: str, questions: list[Question], classes: tuple[str, ...], **settings: Any
) -> tuple[Votes, Votes]:
    engines = ("transformers", "vllm")
    voters = [supervisor(model, engine=engine, **settings) for engine in engines]
    votes = [vote(voter, NOBODY, [questions], classes, seed=3)[0] for voter in voters]
    return votes[0], votes[1]


@pytest.mark.parametrize(
    "settings",
    [
        {"queries": 1, "templates": (BARE,), "chat": False},
        {"chat": True, "calibrate": "content_free"},
        {"answer": "auto"},
        {"pool_forms": True, "normalise": "token", "calibrate": "unconditional"},
    ],
)
def test_votes_of_classes_are_the_same(fake_vllm: Any, causal: str, settings: Any) -> None:
    one, other = both(causal, QUESTIONS, CLASSES, **settings)
    assert one.probs is not None
    assert other.probs is not None
    np.testing.assert_allclose(other.probs, one.probs, rtol=0, atol=1e-5)
    assert other.answer.tolist() == one.answer.tolist()
    assert one.raw is not None
    assert other.raw is not None
    np.testing.assert_allclose(other.raw.log_probs, one.raw.log_probs, rtol=0, atol=1e-4)
    assert other.raw.tokens.tolist() == one.raw.tokens.tolist()
    assert other.raw.bytes.tolist() == one.raw.bytes.tolist()
    assert (other.notes, other.voters, other.queries) == (one.notes, one.voters, one.queries)


def test_votes_of_options_are_the_same(fake_vllm: Any, tmp_path: Path) -> None:
    """Answers of several tokens, in letters and texts, in the bytes of a model that spells all."""
    model = save_byte_llama(tmp_path / "m", context=200)
    long = [*CHOICES[:2], Question("long", "film " * 60, ("a good film", "bad"))]
    for settings in ({"answer": "cloze"}, {"answer": "letter", "queries": 3, "orders": True}):
        one, other = both(model, long, ("0", "1"), **settings)
        assert one.probs is not None
        assert other.probs is not None
        # one token of the context is what vLLM has to write; the long item is truncated for both
        near = slice(0, 2 * len(one.queries))
        np.testing.assert_allclose(other.probs[near], one.probs[near], rtol=0, atol=1e-5)
        np.testing.assert_allclose(other.probs, one.probs, rtol=0, atol=0.05)


def test_replies_are_the_same_and_samples_have_their_seeds(fake_vllm: Any, causal: str) -> None:
    settings = {"templates": (BARE,), "queries": 1, "max_new_tokens": 6, "chat": False}
    one, other = both(causal, QUESTIONS, (), answer=None, **settings)
    assert other.texts == one.texts
    assert other.reasons == one.reasons
    drawn = {"temperature": 1.0, "samples": 3, **settings}
    voter = supervisor(causal, engine="vllm", answer=None, **drawn)
    first, again = (vote(voter, NOBODY, [QUESTIONS], (), seed=3)[0] for _ in range(2))
    turned = vote(voter, NOBODY, [QUESTIONS[::-1]], (), seed=3)[0]
    assert first.texts == again.texts
    assert len(set(first.texts)) > 5  # not one sample three times

    def by_question(votes: Votes) -> dict[tuple[str, int], str]:
        rows = zip(votes.example, votes.query, votes.texts, strict=True)
        return {(votes.ids[i], int(q)): text for i, q, text in rows}

    assert by_question(turned) == by_question(first)


def test_the_model_is_loaded_once_with_a_cache_of_prefixes(fake_vllm: Any, causal: str) -> None:
    voter = supervisor(causal, engine="vllm")
    for _ in range(2):
        vote(voter, NOBODY, [QUESTIONS], CLASSES)
    (llm,) = fake_vllm.made
    assert llm.enable_prefix_caching
    assert (llm.model, llm.dtype, llm.tensor_parallel_size) == (causal, "float32", 1)
    vote(supervisor(causal, engine="vllm", precision="bf16"), NOBODY, [QUESTIONS], CLASSES)
    assert fake_vllm.made[1].dtype == "bfloat16"


def test_label_says_the_same_with_both(fake_vllm: Any, causal: str, tmp_path: Path) -> None:
    items = Items("classification", tuple(QUESTIONS), CLASSES)
    out = [tmp_path / f"{engine}.jsonl" for engine in ("transformers", "vllm")]
    for path in out:
        label(items, [supervisor(causal, engine=path.stem, chat=False)], path)
    one, other = (path.read_text().splitlines() for path in out)
    assert len(one) == len(other) == 10
    assert one[0].split('"probabilities"')[0] == other[0].split('"probabilities"')[0]


def test_vllm_that_is_not_installed_is_one_line(
    causal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.extras._installed", lambda name: False)
    voter = supervisor(causal, engine="vllm")
    for ask in (
        lambda: voter.check_task("classification"),
        lambda: vote(voter, NOBODY, [QUESTIONS], CLASSES),
    ):
        with pytest.raises(ConfigError, match=r"needs the extra `vllm`: pip install 's") as error:
            ask()
        assert "\n" not in str(error.value)


def test_what_vllm_cannot_load_is_one_line(fake_vllm: Any, causal: str) -> None:
    def broken(**options: Any) -> None:
        raise ValueError("No available memory for the cache blocks.\nTry again.")

    fake_vllm.LLM = broken
    with pytest.raises(ConfigError, match=r"could not load .*cache blocks.*`engine: transformers`"):
        vote(supervisor(causal, engine="vllm"), NOBODY, [QUESTIONS], CLASSES)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"finetune": {}}, "`finetune`"),
        ({"beams": 3}, "`beams`"),
        ({"layers": 1}, "`layers`"),
        ({"quantization": "4bit"}, "`quantization`"),
        ({"temperature": 3.0}, "`temperature`"),
    ],
)
def test_settings_that_vllm_does_not_take(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=f"takes no {name}"):
        supervisor("m", engine="vllm", **settings)


def test_the_recipe_of_older_votes_is_unchanged(causal: str) -> None:
    plain = supervisor(causal).deciding_settings()
    assert not {"engine", "chat_options"} & set(plain)
    assert supervisor(causal, engine="vllm").deciding_settings()["engine"] == "vllm"
