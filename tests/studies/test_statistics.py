"""The statistics of a study as results.json and the report have them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from steelyard.evaluation.many_arms import holm
from steelyard.studies.compare_versions import compare_versions
from steelyard.studies.predictions_file import read_predictions

SETTINGS: dict[str, Any] = {
    "name": "statistics",
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 120, "strong_train": 200, "max_test": 300},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {"kind": "probe", "model": "minilm", "layers": 2, "regularization": 1.0},
    "arms": ["filter", "reweigh"],
    "seeds": 3,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("statistics")
    sy.study(SETTINGS, path, workers=1)
    return path


@pytest.fixture
def found(folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return results


def test_p_values_are_adjusted_over_the_arms(found: dict[str, Any]) -> None:
    arms = ("majority", "filter", "reweigh")
    versus = [found["arms"][name]["vs_naive"] for name in arms]
    assert [v["p_holm"] for v in versus] == pytest.approx(holm([v["p"] for v in versus]))
    for v in versus:
        assert v["simultaneous"]["low"] <= v["low"] <= v["high"] <= v["simultaneous"]["high"]
        assert v["within"] >= abs(v["difference"])
    control = found["arms"]["random_keep"]["vs_naive"]
    assert (control["p_holm"], control["simultaneous"]) == (None, None)


def test_the_best_arm_is_measured_where_it_was_not_chosen(found: dict[str, Any]) -> None:
    best = found["best"]
    assert sum(best["chosen"].values()) == 3 * 2  # seeds times halves
    assert set(best["chosen"]) <= {"majority", "filter", "reweigh"}
    assert np.mean(best["seeds"]) == pytest.approx(best["score"]["value"])
    most = max(found["arms"][name]["score"]["value"] for name in best["chosen"])
    assert best["score"]["value"] <= most + 0.02


def test_two_seeds_have_no_pgr_anywhere_but_a_reason(tmp_path: Path) -> None:
    results = sy.study({**SETTINGS, "seeds": 2, "arms": []}, tmp_path, workers=1).results
    arms = results["arms"].values()
    assert all(arm["pgr"] is None for arm in arms)
    assert all(seed["pgr"] is None for arm in arms for seed in arm["seeds"])
    assert results["best"]["pgr"] is None
    assert set(results["metrics"]["macro_f1"]["pgr"].values()) == {None}
    for name in ("report.md", "report.html"):
        assert "at least 3 seeds, got 2" in (tmp_path / name).read_text()
    assert any("at least 3 seeds" in warning for warning in results["warnings"])


def test_predictions_are_a_file_that_gives_the_scores_again(
    folder: Path, found: dict[str, Any]
) -> None:
    table = read_predictions(folder / "predictions.csv")
    for student in table.students:
        if student.arm in found["arms"]:
            seed = found["arms"][student.arm]["seeds"][student.seed]
            assert student.right.mean() == pytest.approx(seed["score"])
        answers = [table.classes[k] for k in student.probs.argmax(axis=1)]
        assert list(student.answers) == answers
        assert (np.array(answers) == np.array(table.truth)).tolist() == student.right.tolist()
    versions, skipped = compare_versions(table, table, "accuracy")
    assert {row.difference.p for row in versions} == {1.0}
    assert skipped == []


def test_errors_are_inherited_corrected_or_new(folder: Path, found: dict[str, Any]) -> None:
    assert set(found["imitation"]) >= {"ceiling", *found["arms"]}
    for name, part in found["imitation"].items():
        assert 0 <= part["inherited"] + part["corrected"] <= 1, name
    assert found["imitation"]["ceiling"]["corrected"] > found["imitation"]["naive"]["corrected"]
    assert "repeat its supervisors" in (folder / "report.html").read_text()
