"""A study of slot filling, end to end; its student remembers what it is taught, word for word."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from byte_models import save_byte_llama
from requests_for_tests import vote
from steelyard.cli.evaluate import evaluate as evaluate_model
from steelyard.cli.train import train as train_model
from steelyard.errors import ConfigError
from steelyard.models.train import TrainingLog
from steelyard.prompts import canonical
from steelyard.selection.selection_file import read_open_selection
from steelyard.store.store import Store
from steelyard.student import TrainedLanguageModel, TrainingData, TrainingOptions
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.training import train_student, training_set
from steelyard.supervision.language_model import LanguageModelVoters
from steelyard.types import Question, Split

GOLD = '[{"type": "person", "filler": "Bob"}, {"type": "date", "filler": "next Friday"}]'
SAID = '[{"type": "date", "filler": "friday"}, {"type": "place", "filler": "rome"}]'
TWO = '[{"type": "to", "filler": "Rome"}, {"type": "to", "filler": "Bonn"}]'
ROWS = (  # a question, its true slots, and what ann, bob and cat say
    ("a", GOLD, SAID, '{"date": "next friday", "person": "bob"}', SAID),
    ("b", "[]", "[]", "none", "{}"),
    ("c", '[{"type": "to", "filler": "Rome"}]', '{"to": "rome"}', "[]", "[]"),
    ("d", TWO, '{"to": ["bonn", "rome"]}', "I do not know", TWO),
)
# TP, FP = FN less the misses, and misses of SLU-F1 over "a" to "d". SAID for GOLD: date is 1/2 of a
# word and 5/11 of the characters away; place is wrong and person missed, in both counts.
FAR = 2.5 + 5 / 11
ANN = 2 * 8 / (2 * 8 + 2 * FAR)  # TP: a 2, c 2, d 4
BOB = 2 * 4 / (2 * 4 + 2 + 4)  # TP: a 4; misses: c 2, d 4
CAT = 2 * 6 / (2 * 6 + 2 * FAR + 2)  # TP: a 2, d 4; misses: c 2
FLOOR = (ANN + BOB + CAT) / 3
EACH = 10  # of each row in train and in test: sums of counts scale, so their F1 is the same


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slots")
    save_byte_llama(folder / "model", context=128)
    votes = []
    for name in ("train", "test"):
        rows = [(f"{name}-{i}", ROWS[i % 4]) for i in range(4 * EACH)]
        (folder / f"{name}.jsonl").write_text(
            lines([{"id": i, "prompt": row[0], "answer": row[1]} for i, row in rows])
        )
        votes += [
            {"id": i, "voter": voter, "answer": said}
            for i, row in rows
            for voter, said in zip(("ann", "bob", "cat"), row[2:], strict=True)
        ]
    (folder / "votes.jsonl").write_text(lines(votes))
    return folder


def settings(files: Path, **student: Any) -> dict[str, Any]:
    return {
        "name": "slots",
        "task": "generation",
        "metric": "slu_f1",
        "data": {
            "train": str(files / "train.jsonl"),
            "test": str(files / "test.jsonl"),
            "weak_train": 0,
        },
        "supervisors": [{"kind": "votes", "path": str(files / "votes.jsonl"), "reader": "slots"}],
        "student": {
            "kind": "language_model",
            "model": str(files / "model"),
            "reader": "slots",
            **student,
        },
        "arms": ["filter"],
        "seeds": 3,
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class Memory(TrainedLanguageModel):
    """Answers a question with the text that was taught for it."""

    known: dict[str, str]

    def answers(self, questions: Sequence[Question]) -> tuple[str | None, ...]:
        return tuple(canonical(self.known.get(one.text), "slots") for one in questions)

    def export(self, folder: Path, *_: Any) -> None:
        (folder / "known.json").write_text(json.dumps(self.known))


def remember(student: Any, data: TrainingData, options: TrainingOptions) -> Memory:
    rows = zip(data.questions, data.targets.argmax(axis=1), data.weights, strict=True)
    known = {one.text: one.choices[k] for one, k, weight in rows if weight > 0}
    model = {"model": None, "tokenizer": None, "truncated": 0, "dropped": 0}
    asked = {"settings": student, "kind": data.kind, "classes": data.classes}
    return Memory(**model, log=TrainingLog([1.0]), **asked, known=known)


@pytest.fixture(scope="module")
def finished(files: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steelyard.student.LanguageModelStudent.fit", remember)
        sy.study(settings(files), files / "run", workers=1)
    return files / "run"


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_the_figures_are_those_of_the_corpus_by_hand(finished: Path) -> None:
    found = results(finished)
    assert found["metric"] == "slu_f1"
    assert pytest.approx(4 / (4 + 2 * FAR), abs=5e-5) == 0.4037  # row "a" alone
    assert found["weak"]["value"] == pytest.approx(FLOOR)
    assert found["ceiling"]["value"] == 1.0
    arms = found["arms"]
    # Seed s hears voter s of ann, bob and cat: the mean of their scores. Its PGR starts from
    # theirs, which differ so much that the gap may be 0.
    assert arms["naive"]["score"]["value"] == pytest.approx(FLOOR)
    assert arms["naive"]["pgr"] is None
    assert "may be 0" in arms["naive"]["pgr_reason"]
    assert arms["majority"]["score"]["value"] == pytest.approx(CAT)  # two of three agree with cat
    assert found["weak_ensemble"]["value"] == pytest.approx(CAT)
    assert arms["majority"]["pgr"]["value"] == pytest.approx((CAT - FLOOR) / (1 - FLOOR))
    for span in (arms["majority"]["score"], arms["majority"]["pgr"], arms["naive"]["score"]):
        assert span["low"] < span["value"] < span["high"]
    against = arms["majority"]["vs_naive"]
    assert against["difference"] == pytest.approx(CAT - FLOOR)
    assert against["low"] < against["difference"] < against["high"]


def test_the_other_metrics_are_exact_answers_and_exact_slots(finished: Path) -> None:
    metrics = results(finished)["metrics"]
    assert set(metrics) == {"accuracy", "span_f1"}
    # ann: b, c, d of four; bob: a; cat: b, d.
    assert metrics["accuracy"]["weak"]["value"] == pytest.approx((0.75 + 0.25 + 0.5) / 3)
    assert metrics["accuracy"]["arms"]["naive"]["value"] == pytest.approx(0.5)
    # ann: 3 of 5 slots right and 2 others; bob: 2 and none; cat: 2 and 2.
    floor = (6 / 10 + 4 / 7 + 4 / 9) / 3
    assert metrics["span_f1"]["weak"]["value"] == pytest.approx(floor)
    assert metrics["span_f1"]["arms"]["naive"]["value"] == pytest.approx(floor)


def test_labels_have_the_studys_f1_beside_their_accuracy(finished: Path) -> None:
    seed = results(finished)["arms"]["naive"]["seeds"][0]
    assert seed["label_accuracy"] == 0.75
    assert seed["label_f1"] == pytest.approx(ANN)
    # filter keeps what is surest: "b" and "d", where all readable votes agree, are right.
    seed = results(finished)["arms"]["filter"]["seeds"][0]
    assert (seed["kept"], seed["label_accuracy"], seed["label_f1"]) == (0.5, 1.0, 1.0)


def test_an_unreadable_answer_has_no_slots_and_is_wrong(files: Path, finished: Path) -> None:
    run = Run(make_study(settings(files)), Store(finished / "store"))
    taught = train_student(run, 0, "filter")  # was never taught "a" and "c"
    assert taught.answers[:4] == (None, "{}", None, '{"to": ["bonn", "rome"]}')
    # misses: a 4, c 2; TP: d 4.
    value = results(finished)["arms"]["filter"]["score"]["value"]
    assert value == pytest.approx(8 / (8 + 6))
    assert taught.predictions.probs[:4, 0].tolist() == [0, 1, 0, 1]
    said = " ".join(results(finished)["warnings"])
    assert "50.0% of the answers of `filter` could not be read" in said


def test_truth_and_votes_are_taught_in_one_spelling(files: Path, finished: Path) -> None:
    run = Run(make_study(settings(files)), Store(finished / "store"))
    for name in ("ceiling", "majority"):
        texts = {text for one in training_set(run, 0, name)[0].questions for text in one.choices}
        assert texts == {canonical(text, "slots") for text in texts}
        assert '{"to": ["bonn", "rome"]}' in texts


def test_the_report_shows_slots(finished: Path) -> None:
    text = (finished / "report.md").read_text()
    assert "scored by slu_f1" in text
    assert "span_f1" in text
    assert "F1 of labels" in (finished / "report.html").read_text()


def test_the_metric_needs_slots(files: Path) -> None:
    words = settings(files)
    for student in ({"reader": "json"}, {"reader": None}):
        with pytest.raises(ConfigError, match=r"`metric: slu_f1` scores.*`student\.answer_format"):
            make_study(settings(files, **student))
    with pytest.raises(ConfigError, match="`metric: span_f1` scores slots"):
        make_study({**words, "task": "classification", "metric": "span_f1"})
    with pytest.raises(ConfigError, match="use `accuracy` or `slu_f1` or `span_f1`"):
        make_study({**words, "metric": "macro_f1"})


def test_a_true_answer_that_is_no_slots_is_named(files: Path, tmp_path: Path) -> None:
    words = settings(files)
    rows = [
        *(files / "test.jsonl").read_text().splitlines(),
        '{"id": "t", "prompt": "e", "answer": "none"}',
    ]
    (tmp_path / "test.jsonl").write_text("\n".join(rows))
    words["data"] = {**words["data"], "test": str(tmp_path / "test.jsonl")}
    with pytest.raises(sy.InputError, match="answer of 't', 'none', cannot be read as slots"):
        sy.study(words, tmp_path / "run", workers=1)


def test_a_trained_model_is_evaluated_by_slots(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels of a file are taught in the one spelling; `evaluate` prints the metrics of slots."""
    made: list[Memory] = []

    def fit(*args: Any, **more: Any) -> Memory:
        made.append(remember(*args, **more))
        return made[-1]

    monkeypatch.setattr("steelyard.student.LanguageModelStudent.fit", fit)
    chosen = tmp_path / "labels.jsonl"
    chosen.write_text(lines([{"id": f"train-{i}", "label": ROWS[i][2]} for i in range(4)]))
    student = json.dumps(settings(files)["student"])
    train_model(files / "train.jsonl", str(chosen), tmp_path / "model", student, 0, set_=[])
    assert made[0].known["a"] == '{"date": "friday", "place": "rome"}'
    monkeypatch.setattr(
        "steelyard.student.saved.load_model", lambda folder: (made[0], "generation", ())
    )
    evaluate_model(tmp_path / "model", files / "test.jsonl", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())["metrics"]
    assert {name: round(scores[name]["value"], 6) for name in scores} == {
        "accuracy": 0.75,
        "slu_f1": round(ANN, 6),
        "span_f1": 0.6,
    }
    chosen.write_text(lines([{"id": "q", "label": "none"}]))
    with pytest.raises(sy.InputError, match="'none' cannot be read as slots"):
        read_open_selection(chosen, [Question("q", "a")], "slots")


def test_a_supervisor_is_taught_slots_in_the_one_spelling(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TrainedStudent(Exception):
        pass

    def teach(_: Any, __: Any, lesson: Any, *___: Any, **____: Any) -> None:
        raise TrainedStudent([one.answers for one in lesson])

    monkeypatch.setattr("steelyard.supervision.language_model.finetune_lm", teach)
    one = LanguageModelVoters(
        model=str(files / "model"), finetune={}, reader="slots", queries=1, orders=False
    )
    split = Split((Question("q", "a"),), np.zeros(1, dtype=np.int64), (GOLD,))
    with pytest.raises(TrainedStudent) as taught:
        vote(one, split, [split.questions], (), seed=0)
    assert taught.value.args[0] == [(' {"date": "next friday", "person": "bob"}',)]


def test_votes_on_slots_are_weighed(files: Path, tmp_path: Path) -> None:
    truth = [{"id": f"test-{i}", "truth": ROWS[i % 4][1]} for i in range(4 * EACH)]
    (tmp_path / "truth.jsonl").write_text(lines(truth))
    weighed = sy.weigh(files / "votes.jsonl", truth=tmp_path / "truth.jsonl", answers="slots")
    assert weighed.votes.candidate_texts[2] == ('{"to": "rome"}', "{}")
    # Of "a" to "d" the majority is right about "b" and "d".
    assert weighed.summary["methods"]["majority"]["accuracy"] == 0.5
