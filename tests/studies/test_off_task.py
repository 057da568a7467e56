"""Accuracy on other tasks before and after training: what weak labels harm elsewhere."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import steelyard as sy
from byte_models import save_byte_llama
from steelyard.data import read_labelled
from steelyard.errors import ConfigError, InputError
from steelyard.report import study_markdown
from steelyard.report.study_html import study_page
from steelyard.store.store import Store
from steelyard.student import TrainingOptions
from steelyard.studies.config import make_study
from steelyard.studies.off_task import off_task_rows
from steelyard.studies.run import Run
from steelyard.studies.training import training_set

TUNING = {"precision": "fp32", "learning_rate": 1e-2, "batch_size": 8, "epochs": 1}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions of two options, votes on them; off task four options, and classes."""
    folder = tmp_path_factory.mktemp("tasks")
    save_byte_llama(folder / "llama")
    rng = np.random.default_rng(0)
    votes = []
    for name, size in (("train", 24), ("test", 20)):
        rows = [
            {"id": f"{name}{i}", "question": f"q{i}", "choices": ["good", "bad"], "label": i % 2}
            for i in range(size)
        ]
        write(folder / f"{name}.jsonl", rows)
        for row in rows:
            answer = int(row["label"]) if rng.random() < 0.8 else 1 - int(row["label"])
            votes.append({"id": row["id"], "voter": "ann", "answer": answer})
    write(folder / "votes.jsonl", votes)
    four = ["plot", "film", "very", "not"]
    other = [{"question": f"w{i}", "choices": four, "label": i % 4} for i in range(16)]
    write(folder / "four.jsonl", other)
    classes = [{"text": f"the film {i}", "label": ("no", "yes")[i % 3 > 0]} for i in range(12)]
    write(folder / "classes.jsonl", classes)
    return folder


def settings(files: Path, student: dict[str, Any], **changes: Any) -> dict[str, Any]:
    parts = {name: str(files / f"{name}.jsonl") for name in ("train", "test")}
    plain = {
        "task": "multiple_choice",
        "data": {**parts, "weak_train": 0},
        "supervisors": [{"kind": "votes", "path": str(files / "votes.jsonl")}],
        "student": {**student, **TUNING},
        "arms": ["majority"],
        "references": [],
        "ceiling_epochs": [],
        "seeds": 2,
    }
    return {**plain, **changes}


def of_language_model(files: Path) -> dict[str, Any]:
    return {
        **{"kind": "language_model", "model": str(files / "llama"), "lora": None},
        **{"answer": "text", "max_tokens": 256, "chat": False},
    }


@pytest.fixture(scope="module")
def finished(files: Path) -> Any:
    asked = {
        "four": {"test": str(files / "four.jsonl")},
        "classes": {"test": str(files / "classes.jsonl"), "task": "classification"},
    }
    asked["four"]["max_test"] = 12  # type: ignore[assignment]
    plain = settings(files, of_language_model(files), off_task=asked)
    return sy.study(plain, files / "run", workers=1)


def test_each_task_has_its_accuracy_before_and_after(finished: Any, files: Path) -> None:
    found = finished.results["off_task"]
    assert {name: (part["task"], part["rows"]) for name, part in found.items()} == {
        "four": ("multiple_choice", 12),
        "classes": ("classification", 12),
    }
    student = make_study(settings(files, of_language_model(files))).student
    for name, kind, classes in (
        ("four", "multiple_choice", ("0", "1", "2", "3")),
        ("classes", "classification", ("no", "yes")),
    ):
        rows = read_labelled(kind, files / f"{name}.jsonl", classes)  # type: ignore[arg-type]
        model = student.untrained(kind, classes)  # type: ignore[arg-type]
        probs = model.predict(rows.questions[:12]).probs
        assert probs is not None
        right = (probs.argmax(axis=1) == rows.truth[:12]).mean()
        assert found[name]["before"]["value"] == pytest.approx(right)
        assert set(found[name]["models"]) == {"ceiling", "naive", "majority"}
        for part in found[name]["models"].values():
            versus = part["vs_before"]
            assert versus["difference"] == pytest.approx(part["value"] - right)
            assert versus["low"] <= versus["difference"] <= versus["high"]
            assert part["low"] <= part["value"] <= part["high"]
        assert found[name]["models"]["ceiling"]["vs_before"]["p_holm"] is None
        assert found[name]["models"]["majority"]["vs_before"]["p_holm"] is not None


def test_the_answers_are_those_of_the_trained_student(finished: Any, files: Path) -> None:
    """Trained again outside of the study, it answers the other task alike."""
    asked = {"four": {"test": str(files / "four.jsonl"), "max_test": 12}}
    plain = settings(files, of_language_model(files), off_task=asked)
    run = Run(make_study(plain), Store(finished.folder / "again"))
    rows, rights = off_task_rows(run)["four"], []
    for seed in (0, 1):
        data = training_set(run, seed, "majority")[0]
        trained = run.study.student.fit(data, TrainingOptions(seed))
        other = trained.on_task(rows.kind, rows.classes)
        probs = other.predict(rows.split.questions).probs
        assert probs is not None
        rights.append((probs.argmax(axis=1) == rows.split.truth).mean())
    found = finished.results["off_task"]["four"]["models"]["majority"]
    assert found["value"] == pytest.approx(np.mean(rights))


def test_the_report_and_the_lock_have_it(finished: Any) -> None:
    for page in (study_markdown(finished.results), study_page(finished.results)):
        assert "Other tasks" in page
        assert "four (12 rows)" in page
        assert "before training" in page
    lock = yaml.safe_load((finished.folder / "study.lock.yaml").read_text())
    assert (finished.folder / lock["off_task"]["four"]["test"]).resolve().is_file()
    again = sy.study(finished.folder / "study.lock.yaml", finished.folder, workers=1)
    assert again.results["off_task"] == finished.results["off_task"]


def test_a_chooser_starts_from_chance(files: Path, tiny_bert: str, tmp_path: Path) -> None:
    """Its head is new: of four options it knows 1/4, and it answers more options than trained."""
    asked = {"four": {"test": str(files / "four.jsonl")}}
    chooser = {"kind": "chooser", "model": tiny_bert}
    found = sy.study(settings(files, chooser, off_task=asked, seeds=1), tmp_path, workers=1)
    part = found.results["off_task"]["four"]
    assert part["before"]["value"] == pytest.approx(0.25)
    assert 0 <= part["models"]["majority"]["value"] <= 1


def test_without_other_tasks_nothing_changes(finished: Any, files: Path) -> None:
    plain = sy.study(settings(files, of_language_model(files)), files / "plain", workers=1)
    assert plain.results["off_task"] == {}
    assert plain.results["arms"] == finished.results["arms"]
    assert "Other tasks" not in study_markdown(plain.results)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"test": "four.jsonl", "task": "generation"}, "asks for open answers"),
        ({"test": "classes.jsonl", "task": "classification"}, "A chooser answers multiple"),
        ({"test": "four.jsonl", "max_test": 3}, "max_test"),
    ],
)
def test_other_tasks_that_cannot_be_asked_are_refused(
    asked: dict[str, Any], message: str, files: Path, tiny_bert: str
) -> None:
    plain = settings(files, {"kind": "chooser", "model": tiny_bert}, off_task={"other": asked})
    with pytest.raises(ConfigError, match=message) as error:
        make_study(plain)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["classifier", "probe"])
def test_classes_of_one_task_answer_no_other(kind: str, tiny_bert: str) -> None:
    plain = {
        "task": "classification",
        "data": {"generated": "errands"},
        "supervisors": [{"kind": "tfidf", "voters": 2}],
        "student": {"kind": kind, "model": tiny_bert},
        "off_task": {"other": {"test": "other.jsonl"}},
    }
    with pytest.raises(ConfigError, match=f"not defined for a {kind} student") as error:
        make_study(plain)
    assert "\n" not in str(error.value)


def test_too_few_rows_have_no_interval_and_are_refused(
    files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    rows = (files / "four.jsonl").read_text().splitlines()[:9]
    (tmp_path / "few.jsonl").write_text("\n".join(rows))
    asked = {"few": {"test": str(tmp_path / "few.jsonl")}}
    plain = settings(files, {"kind": "chooser", "model": tiny_bert}, off_task=asked)
    with pytest.raises(InputError, match=r"few.jsonl has 9 independent rows, and an interval"):
        sy.study(plain, tmp_path / "run", workers=1)
    assert not list((tmp_path / "run" / "store").glob("votes-*"))
