"""`steelyard train STUDY --selection ARM` trains the student that the study measured."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from steelyard.cli.train import _fit, _of_arm
from steelyard.objectives import ObjectiveSettings
from steelyard.store.store import Store
from steelyard.student.saved import load_model, save_model
from steelyard.studies.config import make_study
from steelyard.studies.progress import Stopwatch
from steelyard.studies.run import Run
from steelyard.studies.training import train_student
from tiny_models import WORDS


def objectives() -> list[str]:
    """Kinds of every objective that a classifier minimises."""
    classes = get_args(get_args(ObjectiveSettings)[0])
    return sorted(cls.model_fields["kind"].default for cls in classes if not cls.token_level)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of two classes, and votes of three voters with errors and abstentions."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    rows, votes = [], []
    for i in range(40):
        label = i % 2
        word = WORDS[label] if rng.random() < 0.8 else WORDS[2]
        rows.append({"id": f"r{i}", "text": f"the film {word} {WORDS[i % 7]}", "label": f"{label}"})
        for voter in ("ann", "bob", "cat"):
            right = rng.random() < 0.7
            answer = None if rng.random() < 0.1 else f"{label if right else 1 - label}"
            votes.append({"id": f"r{i}", "voter": voter, "answer": answer})
    for name, part in (("train", rows[:28]), ("test", rows[28:]), ("votes", votes)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tiny_bert: str) -> Run:
    several = {"naive_multi_weak", "joint", "bayesian"}
    arms: list[Any] = [
        {
            "name": f"own-{kind}",
            "selection": "per_supervisor" if kind in several else {"kind": "keep", "fraction": 0.5},
            "objective": kind,
        }
        for kind in objectives()
    ]
    settings = {
        "task": "classification",
        "data": {
            **{name: str(folder / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 6,
            "stratify": True,
        },
        "supervisors": [{"kind": "votes", "path": str(folder / "votes.jsonl")}],
        "student": {
            **{"kind": "classifier", "model": tiny_bert, "batch_size": 4, "epochs": 2},
            **{"learning_rate": 0.01, "max_tokens": 16},
        },
        "arms": arms,
        "match": "steps",
        "seeds": 1,
    }
    return Run(make_study(settings), Store(folder / "store"))


def test_every_objective_of_a_classifier_is_tested() -> None:
    assert {"cross_entropy", "confidence", "bayesian", "reverse_kl"} <= set(objectives())


@pytest.mark.parametrize("name", [*(f"own-{kind}" for kind in objectives()), "naive", "gold_only"])
def test_the_saved_student_answers_as_the_studys_did(run: Run, name: str, tmp_path: Path) -> None:
    plan = _of_arm(run, 0, name)
    trained = _fit(plan, 0, tmp_path / "scratch", Stopwatch())
    save_model(trained, tmp_path / "model", "classification", run.source.classes)
    loaded, _, classes = load_model(tmp_path / "model")
    answers = loaded.predict(run.task(0).test.questions)
    studied = train_student(run, 0, name)
    assert classes == run.source.classes
    assert len(trained.log.loss) == studied.record["steps"] == plan.steps
    np.testing.assert_allclose(answers.probs, studied.predictions.probs, atol=1e-5)
    for measure, values in studied.uncertainty.items():
        np.testing.assert_allclose(answers.uncertainty[measure], values, atol=1e-4)
