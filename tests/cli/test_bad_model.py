"""`train`, `evaluate`, `report` and `why` on what does not fit."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[..., str]
Steelyard = Callable[..., Any]
TRAIN = ("train", "train.jsonl", "--selection", "chosen.jsonl", "--out", "model")
OF_STUDY = ("train", "study.yaml", "--selection", "chosen.jsonl", "--out", "model")
CLASSIFIER = {"kind": "classifier", "model": "minilm"}


def chosen(changes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """A selection of 6 rows with some changed by line; a column of value `...` is taken out."""
    rows = [{"id": f"train-{n}", "label": "cook" if n % 2 else "trip"} for n in range(1, 7)]
    rows = [{**row, **changes.get(line, {})} for line, row in enumerate(rows, start=1)]
    kept = [{name: cell for name, cell in row.items() if cell is not ...} for row in rows]
    return {"chosen.jsonl": "".join(json.dumps(row) + "\n" for row in kept)}


def weights(value: float) -> dict[int, dict[str, Any]]:
    return {line: {"weight": value} for line in range(1, 7)}


SELECTIONS = {
    "unknown id": ({2: {"id": "x-1"}}, ["chosen.jsonl line 2", "'x-1'", "48 questions"]),
    "no id": ({2: {"id": ...}}, ["chosen.jsonl line 2", "column `id` is missing", "label"]),
    "id twice": ({2: {"id": "train-1"}}, ["chosen.jsonl line 2", "'train-1' stands twice"]),
    "weights of zero": (weights(0), ["chosen.jsonl keeps no example", "every weight is 0"]),
    "NaN weight": ({4: {"weight": float("nan")}}, ["chosen.jsonl line 4", "weight nan"]),
    "endless weight": ({4: {"weight": float("inf")}}, ["chosen.jsonl line 4", "weight inf"]),
    "negative weight": ({4: {"weight": -1}}, ["chosen.jsonl line 4", "weight -1", ">= 0"]),
    "weight is a word": ({4: {"weight": "much"}}, ["chosen.jsonl line 4", "weight 'much'"]),
    "float label": ({5: {"label": 1.5}}, ["chosen.jsonl line 5", "label 1.5"]),
    "NaN label": ({5: {"label": float("nan")}}, ["chosen.jsonl line 5", "label nan"]),
    "bool label": ({5: {"label": True}}, ["chosen.jsonl line 5", "label True"]),
    "no label": ({5: {"label": ...}}, ["chosen.jsonl line 5", "label None", "cook, trip"]),
    "one class": (
        {line: {"label": "cook"} for line in range(1, 7)},
        ["chosen.jsonl has the labels ['cook']", "two classes"],
    ),
    "one class kept": (
        {line: {"weight": line % 2} for line in range(1, 7)},
        ["chosen.jsonl keeps 3 examples, all with the label 'cook'"],
    ),
    "targets that do not add up": (
        {3: {"targets": [0.5, 0.4]}},
        ["chosen.jsonl line 3", "`targets` must be 2 probabilities", "[0.5, 0.4]"],
    ),
    "targets with NaN": ({3: {"targets": [float("nan"), 1]}}, ["chosen.jsonl line 3", "nan"]),
    "targets of words": ({3: {"targets": ["a", "b"]}}, ["chosen.jsonl line 3", "['a', 'b']"]),
    "ragged targets": ({3: {"targets": [[1], 0]}}, ["chosen.jsonl line 3", "[[1], 0]"]),
    "too many targets": ({3: {"targets": [1, 0, 0]}}, ["chosen.jsonl line 3", "[1, 0, 0]"]),
}


@pytest.mark.parametrize(("changes", "parts"), SELECTIONS.values(), ids=SELECTIONS)
def test_a_selection_that_does_not_fit_is_named(
    refused: Refused, tmp_path: Path, changes: dict[int, dict[str, Any]], parts: list[str]
) -> None:
    line = refused(*TRAIN, files=chosen(changes))
    assert [part for part in parts if part not in line] == [], line
    assert not (tmp_path / "model").exists()


CALLS = {
    "label of no class": (
        OF_STUDY,
        {
            "files": {
                **chosen({2: {"label": "pay"}}),
                "votes.csv": "id,voter,answer\ntrain-1,a,cook\n",
            },
            "data": {"train": "train.jsonl", "test": "test.jsonl", "weak_train": 0},
            "supervisors": [{"kind": "votes", "path": "votes.csv"}],
            "student": CLASSIFIER,
        },
        ["chosen.jsonl line 2", "'pay'", "(cook, trip)", "[0, 2)"],
    ),
    "of no split": (
        OF_STUDY,
        {"files": chosen({2: {"id": "test-1"}}), "student": CLASSIFIER},
        ["chosen.jsonl line", "is not among the 36 questions"],
    ),
    "unknown arm": (
        ("train", "study.yaml", "--selection", "filtr", "--out", "model"),
        {"student": CLASSIFIER},
        ["'filtr' is not an arm of the study", "`filter`"],
    ),
    "no selection file": (
        ("train", "study.yaml", "--selection", "none.jsonl", "--out", "model"),
        {"student": CLASSIFIER},
        ["none.jsonl does not exist"],
    ),
    "no selection file for data": (TRAIN, {}, ["chosen.jsonl does not exist"]),
    "a probe": (OF_STUDY, {"files": chosen({})}, ["A probe is not saved", "`classifier`"]),
    "a probe for data": (
        (*TRAIN, "--student", "{kind: probe}"),
        {"files": chosen({})},
        ["A probe is not saved", "`classifier`"],
    ),
    "student is a word": ((*TRAIN, "--student", "minilm"), {}, ["`--student` takes YAML"]),
    "student not YAML": ((*TRAIN, "--student", "{kind"), {}, ["--student line 1 is not YAML"]),
    "student with a typo": (
        (*TRAIN, "--student", "{kind: classifier, epoch: 1}"),
        {},
        ["--student: `student.epoch` is not a setting"],
    ),
    "data of another kind": (
        (*TRAIN, "--student", "{kind: chooser}"),
        {"files": chosen({})},
        ["train.jsonl line 1", "column 'question' is missing"],
    ),
    "no data": (
        ("train", "none.jsonl", "--selection", "chosen.jsonl", "--out", "model"),
        {},
        ["none.jsonl does not exist"],
    ),
    "out is not empty": (
        TRAIN,
        {"files": {**chosen({}), "model/mine.txt": "mine"}},
        ["model is not empty", "--out"],
    ),
    "out below a file": (
        ("train", "train.jsonl", "--selection", "chosen.jsonl", "--out", "test.jsonl/model"),
        {"files": chosen({})},
        ["test.jsonl/model cannot be written", "--out"],
    ),
    "out is a file": (
        ("train", "train.jsonl", "--selection", "chosen.jsonl", "--out", "test.jsonl"),
        {"files": chosen({})},
        ["test.jsonl cannot be written", "--out"],
    ),
    "evaluate no model": (
        ("evaluate", ".", "test.jsonl"),
        {},
        [". holds no model of `steelyard train`", "steelyard.json"],
    ),
    "evaluate a damaged card": (
        ("evaluate", "model", "test.jsonl"),
        {"files": {"model/steelyard.json": "{}"}},
        ["model/steelyard.json is damaged", "'settings'", "train the model again"],
    ),
    "evaluate a card that is no JSON": (
        ("evaluate", "model", "test.jsonl"),
        {"files": {"model/steelyard.json": "{'"}},
        ["model/steelyard.json is damaged"],
    ),
    "report on no run": (("report", "."), {}, ["results.json cannot be read", "finished study"]),
    "why on no run": (("why", "none"), {}, ["none/results.json cannot be read"]),
    "report on a torn file": (
        ("report", "."),
        {"files": {"results.json": '{"study": "a", "arms'}},
        ["results.json is not JSON", "run the study again"],
    ),
    "report on a list": (("report", "."), {"files": {"results.json": "[]"}}, ["is damaged"]),
    "report on binary": (
        ("report", "."),
        {"files": {"results.json": b"\xff\xfe\x00"}},
        ["results.json is not JSON"],
    ),
    "why on half the results": (
        ("why", "."),
        {"files": {"results.json": '{"study": "a", "seeds": [0]}'}},
        ["results.json is damaged: it has no `data`"],
    ),
}


@pytest.mark.parametrize(("words", "changes", "parts"), CALLS.values(), ids=CALLS)
def test_a_command_on_what_does_not_fit_is_one_line(
    refused: Refused, words: tuple[str, ...], changes: dict[str, Any], parts: list[str]
) -> None:
    line = refused(*words, **changes)
    assert [part for part in parts if part not in line] == [], line


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, put: Callable[..., None]) -> Path:
    """A trained classifier of the classes cook and trip."""
    from steelyard.cli.train import train as train_model

    folder = tmp_path_factory.mktemp("model")
    put(folder, chosen({}))
    student = "{kind: classifier, model: minilm, layers: 1, epochs: 1, max_tokens: 16}"
    path = folder / "model"
    train_model(
        folder / "train.jsonl", str(folder / "chosen.jsonl"), path, student, seed=0, set_=[]
    )
    return path


EVALUATIONS = {
    "unknown class": (
        {"test": {3: {"label": "pay"}}},
        ["test.jsonl line 3, id 'test-3'", "['cook', 'trip']", "got 'pay'"],
    ),
    "no label": ({"test": {3: {"label": ...}}}, ["test.jsonl line 3", "'label' is missing"]),
    "other names": (
        {"files": {"labels.json": '["cook", "pay"]'}},
        ["labels.json must name the model's classes ['cook', 'trip']", "['cook', 'pay']"],
    ),
}


@pytest.mark.parametrize(("changes", "parts"), EVALUATIONS.values(), ids=EVALUATIONS)
def test_rows_that_a_model_cannot_be_scored_on_are_named(
    refused: Refused, model: Path, changes: dict[str, Any], parts: list[str]
) -> None:
    line = refused("evaluate", model, "test.jsonl", **changes)
    assert [part for part in parts if part not in line] == [], line


def test_a_model_is_scored_and_the_scores_are_written(
    steelyard: Steelyard, put: Callable[..., None], tmp_path: Path, model: Path
) -> None:
    put(tmp_path)
    said = steelyard("evaluate", model, "test.jsonl", "--out", "scores.json")
    assert said.code == 0, said.err
    assert json.loads((tmp_path / "scores.json").read_text())["rows"] == 16
    line = steelyard("evaluate", model, "test.jsonl", "--out", "no/scores.json").error
    assert "no/scores.json cannot be written" in line


def test_a_model_is_scored_on_rows_of_one_class(
    steelyard: Steelyard, put: Callable[..., None], tmp_path: Path, model: Path
) -> None:
    put(tmp_path, test={n: {"label": "cook"} for n in range(1, 17)})
    said = steelyard("evaluate", model, "test.jsonl")
    assert said.code == 0, said.err
    assert "16 rows of test.jsonl" in said.out
    assert "auroc              n/a: `auroc` must be defined" in said.out


def test_a_model_without_weights_is_no_model(refused: Refused, model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "torn")
    (tmp_path / "torn" / "model.safetensors").unlink()
    assert "torn` could not be loaded" in refused("evaluate", "torn", "test.jsonl")


def test_a_study_that_was_run_can_be_explained(
    steelyard: Steelyard, done: Path, tmp_path: Path
) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    assert "All 26 stored results are up to date" in steelyard("why", "run").out
    assert "settings.voters = 3" in steelyard("why", "run", "seed-0/votes").out
    assert "is named 'nothing'" in steelyard("why", "run", "nothing").error
    assert steelyard("report", "run").code == 0


def test_a_damaged_result_is_explained_and_not_a_bug(
    steelyard: Steelyard, done: Path, tmp_path: Path
) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "run" / "store").glob("student-*/recipe.json"):
        path.write_text("{")
    said = steelyard("why", "run")
    assert said.code == 0, said.err
    assert "it is not stored (removed or damaged)" in said.out
