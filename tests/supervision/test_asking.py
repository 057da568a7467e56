"""Language models asked through chat templates, with examples, and by the convention that suits."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from real_llms import real_llm
from requests_for_tests import vote
from steelyard.errors import ConfigError
from steelyard.labelling import label
from steelyard.labelling.items import Items
from steelyard.supervision import LanguageModelVoters, VoteRequest
from steelyard.types import Question, Split
from tiny_models import llama_config, tokenizer

ITEMS = ["the film is", "a plot was", "the plot is very", "a film was very", "the film was"]
NOBODY = Split((), np.zeros(0, dtype=np.int64))
CLASSES = ("good", "bad")
BARE = {"name": "bare", "template": "{item}"}
CHATML = (
    "{% for m in messages %}[CLS] {{ m.role }} {{ m.content }} [SEP] {% endfor %}"
    "{% if add_generation_prompt %}[CLS] assistant {% endif %}"
)


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("chatty")
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(llama_config(layers=2)).save_pretrained(folder)
    words = tokenizer(pairs=False)
    words.chat_template = CHATML
    words.save_pretrained(folder)
    return str(folder)


def supervisor(model: str, **settings: Any) -> LanguageModelVoters:
    plain = {"queries": 1, "templates": (BARE,), "orders": False, "precision": "fp32"}
    return LanguageModelVoters(model=model, **{**plain, "answer": "text", **settings})


def asked(count: int = 5) -> list[Question]:
    return [Question(f"q{i}", ITEMS[i % len(ITEMS)]) for i in range(count)]


def labelled(count: int = 40) -> Split:
    questions = [Question(f"t{i}", ITEMS[i % len(ITEMS)]) for i in range(count)]
    return Split(tuple(questions), np.array([int("plot" in q.text) for q in questions]))


def by_hand(folder: str, texts: list[str]) -> np.ndarray:
    """P(good), P(bad) as the next token of each text."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    words = AutoTokenizer.from_pretrained(folder)
    tokens = words.convert_tokens_to_ids(["good", "bad"])
    rows = []
    for text in texts:
        ids = torch.tensor([words(text, add_special_tokens=False)["input_ids"]])
        with torch.no_grad():
            rows.append(torch.softmax(model(ids).logits[0, -1, tokens], dim=-1).numpy())
    return np.array(rows)


@pytest.mark.parametrize("chat", ["auto", True, False])
def test_votes_are_those_behind_the_template(chatty: str, chat: Any) -> None:
    (votes,) = vote(supervisor(chatty, chat=chat, system="a"), NOBODY, [asked()], CLASSES, seed=0)
    before = "[CLS] system a [SEP] [CLS] user " if chat else "a\n\n"
    after = " [SEP] [CLS] assistant " if chat else ""
    texts = [f"{before}{question.text}{after}" for question in asked()]
    assert votes.probs == pytest.approx(by_hand(chatty, texts), abs=1e-5)


def test_examples_stand_before_every_question(chatty: str) -> None:
    weak = supervisor(chatty, examples=2)
    assert weak.needs_labels
    assert weak.asks_in_parts
    rows = labelled(3)  # the only row of class 1 is "a plot was"; one of class 0 is drawn
    (votes,) = vote(weak, rows, [asked()], CLASSES, seed=0)
    shots = weak.shots(rows, "classification", CLASSES, 0)["0-bare"]
    assert sorted(answer for _, answer in shots) == [" bad", " good"]
    turns = "".join(f"[CLS] user {text} [SEP] [CLS] assistant{word} [SEP] " for text, word in shots)
    texts = [f"{turns}[CLS] user {q.text} [SEP] [CLS] assistant " for q in asked()]
    assert votes.probs == pytest.approx(by_hand(chatty, texts), abs=1e-5)
    with pytest.raises(ConfigError, match="`examples: 2`, but there are 0 labelled rows"):
        vote(weak, NOBODY, [asked()], CLASSES, seed=0)


def test_examples_written_in_the_settings(chatty: str) -> None:
    weak = supervisor(chatty, chat=False, examples=[{"item": "a film", "answer": "bad"}])
    assert not weak.needs_labels
    (votes,) = vote(weak, NOBODY, [asked()], CLASSES, seed=0)
    texts = [f"a film bad\n\n{question.text}" for question in asked()]
    assert votes.probs == pytest.approx(by_hand(chatty, texts), abs=1e-5)
    wrong = supervisor(chatty, examples=[{"item": "a film", "answer": "fine"}])
    with pytest.raises(ConfigError, match="'fine' of example 1 is none of good, bad"):
        vote(wrong, NOBODY, [asked()], CLASSES, seed=0)


def test_batch_calibration_takes_out_the_mean_of_each_class(chatty: str) -> None:
    (votes,) = vote(supervisor(chatty, calibrate="batch"), NOBODY, [asked()], CLASSES, seed=0)
    assert votes.raw is not None
    assert votes.probs is not None
    difference = votes.raw.log_probs[:, 0] - votes.raw.log_probs[:, 1]
    logit = difference - difference.mean()
    assert votes.probs[:, 0] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_priors_are_those_of_the_first_list_of_questions(chatty: str) -> None:
    """Test questions are centred on what strong_train gave, one by one too."""
    weak = supervisor(chatty, calibrate="batch")
    _, second = vote(weak, NOBODY, [asked(4), asked(5)[4:]], CLASSES, seed=0)
    request = VoteRequest("classification", CLASSES, (asked(4),))
    settled = weak.settle(request)
    assert settled.priors is not None
    (alone,) = vote(settled, NOBODY, [asked(5)[4:]], CLASSES, seed=0)
    assert alone.probs == pytest.approx(second.probs)


def test_an_average_over_orders_does_not_depend_on_the_order(chatty: str) -> None:
    """Two options have two orders: their mean is one, whichever is drawn first."""
    questions = [Question("q", "the film is", ("good", "very bad"))]
    settings = {"average_orders": True, "orders": True}
    weak = supervisor(
        chatty, **settings, templates=({"name": "x", "template": "{item} {options}"},)
    )
    tables = [vote(weak, NOBODY, [questions], ("0", "1"), seed=s)[0] for s in range(4)]
    for table in tables[1:]:
        assert table.probs == pytest.approx(tables[0].probs, abs=1e-6)
    single = weak.model_copy(update={"average_orders": False})
    plain = [vote(single, NOBODY, [questions], ("0", "1"), seed=s)[0] for s in range(4)]
    assert any(not np.allclose(table.probs, plain[0].probs) for table in plain[1:])


def test_forms_of_an_answer_are_added_up(chatty: str) -> None:
    """ "GOOD" is asked as itself and as "good"; the first is an unknown word."""
    names = ("GOOD", "bad")
    (whole,) = vote(supervisor(chatty, pool_forms=True), NOBODY, [asked()], names, seed=0)
    (first,) = vote(supervisor(chatty), NOBODY, [asked()], names, seed=0)
    (lower,) = vote(supervisor(chatty), NOBODY, [asked()], CLASSES, seed=0)
    assert whole.raw is not None
    assert first.raw is not None
    assert lower.raw is not None
    pooled = np.logaddexp(first.raw.log_probs[:, 0], lower.raw.log_probs[:, 0])
    assert whole.raw.log_probs[:, 0] == pytest.approx(pooled, abs=1e-5)


def test_auto_is_written_down_and_settled_once(chatty: str) -> None:
    weak = supervisor(chatty, answer="auto", templates=None, queries=2)
    (votes,) = vote(weak, labelled(), [asked()], CLASSES, seed=0)
    assert len(votes.notes) == 1
    assert "the most accurate on 40 labelled rows" in votes.notes[0]
    settled = weak.settle(VoteRequest("classification", CLASSES, (asked(),), labelled()))
    assert settled.answer in ("text", "cloze")
    assert isinstance(settled.chat, bool)
    (again,) = vote(settled, labelled(), [asked()], CLASSES, seed=0)
    assert again.probs == pytest.approx(votes.probs)
    assert again.notes == votes.notes
    (by_rule,) = vote(weak, NOBODY, [asked()], CLASSES, seed=0)
    assert "by rule" in by_rule.notes[0]


def test_auto_keeps_what_is_given(chatty: str) -> None:
    given = {"normalise": "token", "calibrate": "none", "chat": False}
    weak = supervisor(chatty, answer="auto", templates=None, **given)
    settled = weak.settle(VoteRequest("classification", CLASSES, (asked(),), labelled()))
    assert {name: getattr(settled, name) for name in given} == given


def test_what_does_not_fit_together_is_refused(chatty: str) -> None:
    questions = [Question("q", "the film is", ("good", "bad"))]
    weak = supervisor(chatty, answer="cloze", calibrate="batch")
    with pytest.raises(ConfigError, match="the texts of options differ"):
        vote(weak, NOBODY, [questions], ("0", "1"), seed=0)
    with pytest.raises(ConfigError, match="lists the answers, and `answer: cloze`"):
        supervisor(
            chatty, answer="cloze", templates=({"name": "x", "template": "{item}{options}"},)
        ).check_task("multiple_choice")
    with pytest.raises(ConfigError, match="would be read as plain text"):
        supervisor(
            chatty, templates=({"name": "x", "template": "<|im_start|>user\n{item}"},)
        ).check_task("classification")
    with pytest.raises(ValidationError, match="`examples` are for a model without `finetune`"):
        supervisor(chatty, examples=2, finetune={})


def test_label_says_how_it_asked_and_what_the_votes_give_away(chatty: str, tmp_path: Path) -> None:
    items = Items("classification", tuple(asked(30)), CLASSES, labelled())
    weak = supervisor(chatty, answer="auto", templates=None, calibrate="none", chat=False)
    result = label(items, [weak], tmp_path / "votes.jsonl")
    assert "labelled rows" in result.notes[0]
    text = (tmp_path / "votes.jsonl").read_bytes()
    again = label(items, [weak], tmp_path / "votes.jsonl")
    assert (tmp_path / "votes.jsonl").read_bytes() == text
    assert again.notes == result.notes
    silent = supervisor(chatty, templates=({"name": "long", "template": "{item} " + "a " * 80},))
    empty = label(items, [silent], tmp_path / "empty.jsonl")
    assert "all 30 votes of `0-long` abstain (too long 30)" in empty.warnings[0]


def test_a_real_chat_model_replies_when_it_is_asked_as_one() -> None:
    """To the plain text of a sum this model says nothing but its end token. In its chat template it
    replies, word for word as plain Transformers has it."""
    folder = real_llm()
    sums = [f"What is {a} plus {b}?" for a, b in ((8, 8), (3, 4), (10, 5), (7, 2))]
    questions = [Question(str(i), text) for i, text in enumerate(sums)]
    settings = {"answer_format": "number", "max_new_tokens": 12, "answer": None}
    weak = supervisor(folder, **settings)
    (votes,) = vote(weak, NOBODY, [questions], (), seed=0)
    (plain,) = vote(weak.model_copy(update={"chat": False}), NOBODY, [questions], (), seed=0)
    assert plain.reasons == ("empty",) * 4
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    words = AutoTokenizer.from_pretrained(folder)
    for text, reply in zip(sums, votes.texts, strict=True):
        turn, options = [{"role": "user", "content": text}], {"return_tensors": "pt"}
        ids = words.apply_chat_template(turn, add_generation_prompt=True, **options)["input_ids"]
        written = model.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
        assert words.decode(written, skip_special_tokens=True) == reply
    assert "16" in votes.texts[0]


def test_chat_options_change_what_is_asked(tmp_path: Path, chatty: str) -> None:
    shutil.copytree(chatty, tmp_path / "m")
    words = tokenizer(pairs=False)
    words.chat_template = CHATML.replace("assistant", "{% if thinking %}plot{% endif %}")
    words.save_pretrained(tmp_path / "m")
    model = str(tmp_path / "m")

    def probs(**settings: Any) -> Any:
        return vote(supervisor(model, chat=True, **settings), NOBODY, [asked()], CLASSES)[0].probs

    plain, thinking = probs(), probs(chat_options={"thinking": True})
    assert np.abs(plain - thinking).max() > 1e-3
    np.testing.assert_array_equal(probs(chat_options={"thinking": False}), plain)
    with pytest.raises(ConfigError, match="a variable `enable_thinking`; remove it"):
        probs(chat_options={"enable_thinking": False})
    with pytest.raises(ValidationError, match="`chat` is false"):
        supervisor(model, chat=False, chat_options={"thinking": True})
    with pytest.raises(ValidationError, match="'tools', which is set elsewhere"):
        supervisor(model, chat_options={"tools": []})
