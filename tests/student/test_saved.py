"""Selections and models as files; `train` and `evaluate` from end to end."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard.cli.evaluate import evaluate as evaluate_model
from steelyard.cli.train import train as train_model
from steelyard.errors import InputError
from steelyard.selection.selection_file import read_selection
from steelyard.student.saved import load_model
from steelyard.types import Question

QUESTIONS = [Question("a", "good film"), Question("b", "bad plot"), Question("c", "fine")]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_selection_is_joined_by_id(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.jsonl", [{"id": "c", "label": "x", "weight": 3}, {"id": "a", "label": "y"}]
    )
    selection, classes = read_selection(path, QUESTIONS, None)
    assert classes == ("x", "y")
    assert selection.targets.argmax(axis=1)[[0, 2]].tolist() == [1, 0]
    np.testing.assert_allclose(selection.weights, [0.5, 0, 1.5])  # 1 and 3, mean 2
    assert selection.reasons == ("", "not in the selection file", "")


def test_soft_targets_are_taken_as_they_are(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "targets": [0.25, 0.75]},
        {"id": "b", "targets": [0.9, 0.1]},
    ]
    path = write(tmp_path / "s.jsonl", rows)
    selection, _ = read_selection(path, QUESTIONS, ("no", "yes"))
    assert selection.targets[0].tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "z", "label": 0}], r"line 1: id 'z' is not among the 3 questions"),
        ([{"id": "a", "label": 0}] * 2, r"line 2: id 'a' stands twice"),
        ([{"id": "a", "label": 2}], r"label 2 is neither a class \(no, yes\)"),
        ([{"id": "a", "label": 0, "weight": -1}], "weight -1 is not a finite number"),
        ([{"id": "a", "label": 0, "weight": 0}], "every weight is 0"),
        ([{"id": "a", "targets": [0.5, 0.6]}], "must be 2 probabilities that sum to 1"),
        ([{"label": 0}], "column `id` is missing"),
    ],
)
def test_selections_that_cannot_be_are_named(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_selection(write(tmp_path / "s.jsonl", rows), QUESTIONS, ("no", "yes"))


def test_a_trained_model_is_saved_loaded_and_scored(
    tiny_bert: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["good film", "bad plot", "very good", "awful film", "fine plot", "bad bad film"]
    rows = [{"id": str(i), "text": texts[i % 6], "label": i % 2} for i in range(48)]
    data = write(tmp_path / "data.jsonl", rows)
    chosen = [{"id": r["id"], "label": ["pos", "neg"][r["label"]]} for r in rows[:40]]
    selection = write(tmp_path / "selection.jsonl", chosen)
    student = (
        f"{{kind: classifier, model: '{tiny_bert}', epochs: 20, learning_rate: 0.003, "
        "batch_size: 8, precision: fp32, train_layers: 2}"
    )
    out = tmp_path / "model"
    train_model(data, str(selection), out, student, seed=0, set_=[])
    fitted, task, classes = load_model(out)
    assert (task, classes) == ("classification", ("neg", "pos"))
    from transformers import AutoModelForSequenceClassification

    plain = AutoModelForSequenceClassification.from_pretrained(out)
    assert plain.config.num_labels == 2

    named = write(
        tmp_path / "test.jsonl", [{**r, "label": ["pos", "neg"][r["label"]]} for r in rows]
    )
    evaluate_model(out, named, tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["metrics"]["accuracy"]["value"] == 1.0
    assert scores["metrics"]["accuracy"]["low"] < 1.0
    assert "accuracy" in capsys.readouterr().out
    with pytest.raises(InputError, match="is not empty"):
        train_model(data, str(selection), out, student, seed=0, set_=[])
    np.testing.assert_allclose(fitted.probabilities(QUESTIONS).sum(axis=1), 1)


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model of `steelyard train`"):
        load_model(tmp_path)


def test_a_student_of_a_missing_plugin_is_named(tmp_path: Path) -> None:
    card = {"task": "classification", "classes": ["x", "y"], "settings": {"kind": "elsewhere"}}
    (tmp_path / "steelyard.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="kind `elsewhere`, which no installed package offers"):
        load_model(tmp_path)
