"""A study of open answers, end to end: votes of a file, a language model that reads bytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from byte_models import save_byte_llama
from open_rows import ANSWERS, WORDS, lines
from steelyard.models.lm import load_lm
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.training import training_set
from steelyard.studies.votes import collect_votes, true_answers
from steelyard.types import NO_CANDIDATE


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions that are words, answers that are numbers; voters are right in 70 % of cases."""
    folder = tmp_path_factory.mktemp("open")
    save_byte_llama(folder / "model", context=128)
    rng = np.random.default_rng(0)
    votes = []
    for name, size in (("train", 64), ("test", 40)):
        rows = [
            {"id": f"{name}-{i}", "prompt": WORDS[i % 4], "answer": ANSWERS[i % 4]}
            for i in range(size)
        ]
        (folder / f"{name}.jsonl").write_text(lines(rows))
        for row in rows:
            for voter in ("ann", "bob", "cat"):
                right = rng.random() < 0.7
                answer = row["answer"] if right else int(rng.integers(4, 12))
                said = f"The answer is ${answer}.00" if voter == "cat" else str(answer)
                said = "I cannot answer." if rng.random() < 0.05 else said
                votes.append({"id": row["id"], "voter": voter, "answer": said})
    (folder / "votes.jsonl").write_text(lines(votes))
    return folder


def settings(files: Path, **changes: Any) -> dict[str, Any]:
    plain = {
        "name": "open",
        "task": "generation",
        "data": {
            "train": str(files / "train.jsonl"),
            "test": str(files / "test.jsonl"),
            "weak_train": 0,
        },
        "supervisors": [{"kind": "votes", "path": str(files / "votes.jsonl"), "reader": "number"}],
        "student": {
            "kind": "language_model",
            "model": str(files / "model"),
            "wording": {"name": "s", "template": "<q>{item}</q>="},
            "reader": "number",
            "lora": None,
            "learning_rate": 5e-3,
            "batch_size": 16,
            "epochs": 25,
            "precision": "fp32",
            "max_new_tokens": 6,
        },
        "arms": ["reweigh", "truth_filter"],
        "seeds": 1,
    }
    return {**plain, **changes}


@pytest.fixture(scope="module")
def finished(files: Path) -> Path:
    folder = files / "run"
    sy.study(settings(files), folder, workers=1)
    assert not load_lm._KEPT  # no model outlives the study
    return folder


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_the_ceiling_learns_and_the_floor_is_the_voters(files: Path, finished: Path) -> None:
    found = results(finished)
    assert found["task"] == "generation"
    assert found["ceiling"]["value"] == 1.0
    run = Run(make_study(settings(files)), Store(finished / "store"))
    votes, answers = collect_votes(run, 0).test, run.task(0).test.reference_texts
    right = [
        votes.answer[m] != -1 and votes.candidate_texts[i][votes.answer[m]] == answers[i]
        for m, i in enumerate(votes.example)
    ]
    assert found["weak"]["value"] == pytest.approx(np.mean(right))  # every voter has every row
    assert found["votes"]["abstained"] > 0
    assert found["metrics"] == {}
    assert any("accuracy is the only metric" in text for text in found["warnings"])
    assert set(found["arms"]) == {
        *("naive", "majority", "reweigh", "truth_filter", "shuffled_weights")
    }
    for arm in found["arms"].values():
        assert 0 <= arm["score"]["value"] <= 1


def test_labels_are_right_where_the_majority_has_the_number(files: Path, finished: Path) -> None:
    run = Run(make_study(settings(files)), Store(finished / "store"))
    split, truth = run.task(0).strong_train, true_answers(run, 0)
    votes = collect_votes(run, 0).strong_train
    for i, number in enumerate(truth):
        if number == NO_CANDIDATE:
            assert (
                split.reference_texts[i] not in votes.candidate_texts[i]
            )  # and it is no candidate
        else:
            assert votes.candidate_texts[i][number] == split.reference_texts[i]
    assert (truth == NO_CANDIDATE).any()
    arms = results(finished)["arms"]
    assert arms["truth_filter"]["seeds"][0]["label_accuracy"] == 1.0
    selection, _ = select_labels(run, 0, run.study.arm("majority"))
    kept = selection.weights > 0
    share = (selection.targets.argmax(axis=1) == truth)[kept].mean()
    assert arms["majority"]["seeds"][0]["label_accuracy"] == pytest.approx(share)
    assert 0.7 < share < 1


def test_running_again_makes_nothing(
    files: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = results(finished)
    monkeypatch.setattr(
        "steelyard.student.LanguageModelStudent.fit", lambda *_, **__: pytest.fail("fitted again")
    )
    sy.study(settings(files), finished, workers=1)
    for name in ("arms", "ceiling", "weak", "reliability", "votes"):
        assert results(finished)[name] == before[name]


def test_the_truth_of_open_training_questions_reaches_no_arm(files: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (files / "train.jsonl").read_text().splitlines()]
    (tmp_path / "train.jsonl").write_text(lines([{**row, "answer": 99} for row in rows]))
    study = settings(files)
    changed = {**study, "data": {**study["data"], "train": str(tmp_path / "train.jsonl")}}
    one, other = (Run(make_study(s), Store(tmp_path / "s")) for s in (study, changed))
    for name in ("naive", "majority", "reweigh"):
        (asked, first), (asked_too, second) = (training_set(run, 0, name) for run in (one, other))
        assert asked.questions == asked_too.questions
        assert first.targets.tolist() == second.targets.tolist()
        assert first.weights.tolist() == second.weights.tolist()
    ceilings = [training_set(run, 0, "ceiling")[0].questions for run in (one, other)]
    assert ceilings[0] != ceilings[1]


def test_a_truth_that_the_reader_cannot_read_is_said_first(files: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (files / "test.jsonl").read_text().splitlines()]
    (tmp_path / "test.jsonl").write_text(lines([*rows, {"prompt": "x", "answer": "many"}]))
    study = settings(files)
    study["data"] = {**study["data"], "test": str(tmp_path / "test.jsonl")}
    with pytest.raises(sy.InputError, match="'many', cannot be read as number"):
        sy.study(study, tmp_path / "run", workers=1)
