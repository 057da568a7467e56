"""A language model as the student: taught, asked in one way, read, saved and loaded again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byte_models import save_byte_llama
from requests_for_tests import fit as train
from steelyard.cli.evaluate import evaluate as evaluate_model
from steelyard.cli.train import train as train_model
from steelyard.errors import ConfigError, InputError
from steelyard.models.load import Pretrained
from steelyard.selection.selection_file import read_open_selection
from steelyard.student import LanguageModelStudent, TrainedLanguageModel
from steelyard.student.language_model import training_prompt
from steelyard.student.saved import load_model
from steelyard.studies.config import make_study
from steelyard.types import Floats, Question, one_hot

CLOZE_QUESTION = (Question("q", "which?", ("x", "o")), "multiple_choice", ("0", "1"), 0, 0)
SHORT = {"name": "s", "template": "<text>{item}</text>{answers}?"}
OPEN = {"name": "s", "template": "<q>{item}</q>="}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_byte_llama(tmp_path_factory.mktemp("bytes"))


def student(model: str, **changes: Any) -> LanguageModelStudent:
    plain = {
        "model": model,
        "wording": SHORT,
        "lora": None,
        "learning_rate": 5e-3,
        "batch_size": 8,
        "epochs": 12,
        "precision": "fp32",
        "max_new_tokens": 8,
    }
    return LanguageModelStudent(**{**plain, **changes})


def texts(count: int) -> tuple[list[Question], Floats]:
    """Rows of crosses and of rings."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    made = [
        "xo"[label] * int(size)
        for label, size in zip(labels, rng.integers(3, 9, count), strict=True)
    ]
    return [Question(f"t{i}", text) for i, text in enumerate(made)], one_hot(labels, 2)


def fit(settings: LanguageModelStudent, **more: Any) -> TrainedLanguageModel:
    questions, targets = texts(64)
    plain = {"kind": "classification", "classes": ("cross", "ring"), "seed": 0}
    return train(settings, questions, targets, np.ones(64), **{**plain, **more})


def test_it_learns_and_both_ways_of_asking_agree(llama: str) -> None:
    fitted = fit(student(llama))
    questions, targets = texts(20)
    probs = fitted.probabilities(questions)
    assert (probs.argmax(axis=1) == targets.argmax(axis=1)).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    written = replace(fitted, settings=student(llama, evaluate_by="generation"))
    np.testing.assert_array_equal(written.probabilities(questions), targets)


def test_what_cannot_be_read_is_no_class(llama: str) -> None:
    fitted = fit(student(llama, evaluate_by="generation", epochs=1, learning_rate=1e-6))
    probs = fitted.probabilities(texts(4)[0])  # an untaught model writes noise
    assert probs.tolist() == [[0, 0, 1]] * 4


def test_every_student_is_asked_with_the_same_prompt(llama: str) -> None:
    asking = student(llama, wording=None).asking("multiple_choice")
    question = Question("q", "Which?", ("left", "right"))
    asked = [asking.ask(question, "multiple_choice", ("0", "1"), 0, seed) for seed in (0, 7)]
    assert asked[0].prompt == asked[1].prompt
    assert "A. left\nB. right" in asked[0].prompt
    assert asked[0].answers == (" A", " B")


def test_multiple_choice_with_options_of_several_numbers(llama: str) -> None:
    questions = [Question(f"q{i}", "which?", ("x", "o", "n")[: 2 + i % 2]) for i in range(12)]
    targets = one_hot(np.array([0, 2] * 6), 3)
    wording = {"name": "s", "template": "<q>{item}</q>{options}?"}
    fitted = train(
        student(llama, wording=wording),
        questions,
        targets,
        np.ones(12),
        seed=0,
        kind="multiple_choice",
        classes=("0", "1", "2"),
    )
    probs = fitted.probabilities(questions)
    assert probs.shape == (12, 3)
    assert (probs[::2, 2] == 0).all()  # two options have no third
    assert (probs.argmax(axis=1) == targets.argmax(axis=1)).all()


def test_an_option_is_learned_as_text_behind_the_question_alone(llama: str) -> None:
    learner = student(llama, wording={"name": "s", "template": "<q>{item}</q>"}, answer="cloze")
    asked = learner.asking("multiple_choice").ask(*CLOZE_QUESTION)
    assert asked.prompt.endswith("<q>which?</q>")
    assert asked.answers == (" x", " o")
    questions = [Question(f"q{i}", "which?", ("x", "o")[:: 1 - 2 * (i % 2)]) for i in range(12)]
    targets = one_hot(np.array([0, 1] * 6), 2)  # always the text "x", wherever it stands
    plain = {"kind": "multiple_choice", "classes": ("0", "1"), "seed": 0}
    fitted = train(learner, questions, targets, np.ones(12), **plain)
    assert (fitted.probabilities(questions).argmax(axis=1) == targets.argmax(axis=1)).all()
    with pytest.raises(ConfigError, match="is not shown the answers"):
        student(llama, answer="cloze", evaluate_by="generation").check_task("multiple_choice")
    with pytest.raises(ConfigError, match="lists the answers"):
        student(llama, answer="cloze").check_task("classification")


def test_open_answers_are_written_and_read(llama: str) -> None:
    numbers = np.arange(40) % 4
    questions = [Question(f"q{i}", "x" * (n + 1), (f"{n + 6}",)) for i, n in enumerate(numbers)]
    settings = student(llama, wording=OPEN, reader="number", epochs=40)
    fitted = train(
        settings, questions, np.ones((40, 1)), np.ones(40), seed=0, kind="generation", classes=()
    )
    assert fitted.answers(questions[:4]) == ("6", "7", "8", "9")


def test_weak_answers_are_taught_in_proportion_to_their_targets(llama: str) -> None:
    questions = [Question(f"q{i}", "x", ("6", "7")) for i in range(32)]
    targets = np.tile([0.8, 0.2], (32, 1))
    fitted = train(
        student(llama, wording=OPEN, epochs=25),
        questions,
        targets,
        np.ones(32),
        seed=0,
        kind="generation",
        classes=(),
    )
    from steelyard.models.lm.option_scores import score_options

    asked = [training_prompt(fitted.settings.asking("generation"), questions[0], "generation", ())]
    probs = score_options(fitted.model, fitted.tokenizer, asked).probs
    np.testing.assert_allclose(probs[0], [0.8, 0.2], atol=0.05)


@pytest.mark.parametrize("lora", [None, {"rank": 4, "dropout": 0.0}])
def test_it_is_saved_and_loaded(llama: str, tmp_path: Path, lora: Any) -> None:
    rate = 5e-3 if lora is None else 2e-2
    fitted = fit(student(llama, lora=lora, learning_rate=rate))
    questions, _ = texts(6)
    before = fitted.probabilities(questions)
    from steelyard.student.saved import save_model

    save_model(fitted, tmp_path / "model", "classification", ("cross", "ring"))
    loaded, task, classes = load_model(tmp_path / "model")
    assert (task, classes) == ("classification", ("cross", "ring"))
    np.testing.assert_allclose(loaded.probabilities(questions), before, atol=1e-5)


def test_a_chat_model_is_trained_and_asked_in_its_template(llama: str, tmp_path: Path) -> None:
    """The text before the answer is the template's, in training, in tests, and in the card; a card
    from before there were templates means plain text."""
    from transformers import AutoTokenizer

    from steelyard.student.saved import save_model

    folder = tmp_path / "chat"
    shutil.copytree(llama, folder)
    words = AutoTokenizer.from_pretrained(folder)
    words.chat_template = (
        "<s>{% for m in messages %}{{ m.role }}:{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    words.save_pretrained(folder)
    settings = student(str(folder), system="Be brief.")
    fitted = fit(settings)
    (asked,) = fitted._asked(texts(1)[0])
    prompt = f"<text>{texts(1)[0][0].text}</text>cross or ring?"
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]
    assert asked.whole == words.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True
    )
    questions, targets = texts(20)
    before = fitted.probabilities(questions)
    assert (before.argmax(axis=1) == targets.argmax(axis=1)).all()
    save_model(fitted, tmp_path / "model", "classification", ("cross", "ring"))
    path = tmp_path / "model" / "steelyard.json"
    card = json.loads(path.read_text())
    assert card["prompt_text"]["prompt"].startswith("<s>system:Be brief.</s>user:<text>{text}</")
    assert card["prompt_text"]["prompt"].endswith("cross or ring?</s>assistant:")
    assert card["prompt_text"]["answer"] == " cross"
    loaded, *_ = load_model(tmp_path / "model")
    np.testing.assert_allclose(loaded.probabilities(questions), before, atol=1e-5)
    del card["settings"]["chat"]
    path.write_text(json.dumps(card))
    assert load_model(tmp_path / "model")[0].settings.chat is False


def test_settings_that_cannot_be_are_refused(llama: str) -> None:
    with pytest.raises(ConfigError, match="is not a built-in template of classification"):
        student(llama, wording="nowhere").check_task("classification")
    with pytest.raises(ConfigError, match="`answer_format: number` is for open answers"):
        student(llama, reader="number").check_task("classification")
    words = {
        "task": "generation",
        "data": {"train": "a.jsonl", "test": "b.jsonl", "weak_train": 0},
        "supervisors": [{"kind": "votes", "path": "v.jsonl"}],
        "student": {"kind": "language_model", "model": llama},
    }
    assert make_study(words).student.kind == "language_model"
    with pytest.raises(ConfigError, match="`metric: auroc` needs classes"):
        make_study({**words, "metric": "auroc"})
    with pytest.raises(ConfigError, match=r"`student\.model` is missing"):
        make_study({**words, "student": {"kind": "language_model"}})
    with pytest.raises(ConfigError, match="the task is generation"):
        make_study({**words, "student": {"kind": "classifier", "model": llama}})


def test_an_encoder_is_no_language_model(tiny_bert: str) -> None:
    from steelyard.models.lm.load_lm import load_causal

    with pytest.raises(ConfigError, match="is no causal language model"):
        load_causal(Pretrained(model=tiny_bert))


# The command line


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def command(model: str, **changes: Any) -> str:
    return json.dumps({"kind": "language_model", **student(model, **changes).model_dump()})


def test_open_answers_through_the_command_line(
    llama: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": f"r{i}", "prompt": "x" * (i % 4 + 1), "answer": f"${i % 4 + 6}.00"}
        for i in range(40)
    ]
    data = write(tmp_path / "data.jsonl", rows)
    chosen = [{"id": row["id"], "label": i % 4 + 6} for i, row in enumerate(rows)]
    selection = write(tmp_path / "selection.jsonl", chosen[:36])
    text = command(llama, wording=OPEN, reader="number", epochs=40)
    train_model(data, str(selection), tmp_path / "model", text, seed=0, set_=[])
    evaluate_model(tmp_path / "model", data, tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["metrics"].keys() == {"accuracy"}
    assert scores["metrics"]["accuracy"]["value"] == 1.0
    assert "open answers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "b"}, "label None must be the text of an answer"),
        ({"id": "b", "label": " "}, "must be the text of an answer"),
        ({"id": "b", "label": True}, "must be the text of an answer"),
        ({"id": "z", "label": "1"}, "id 'z' is not among the 2 questions"),
        ({"id": "a", "label": "1"}, "id 'a' stands twice"),
    ],
)
def test_open_selections_that_cannot_be_are_named(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    questions = [Question("a", "1 + 1?"), Question("b", "2 + 2?")]
    path = write(tmp_path / "s.jsonl", [{"id": "a", "label": 2}, row])
    with pytest.raises(InputError, match=message):
        read_open_selection(path, questions)
