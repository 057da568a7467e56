"""An arm that has nothing to learn in a seed becomes n/a there; the study goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from steelyard.selection import NothingToLearn
from steelyard.studies.arms import Arm

SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 40, "strong_train": 60, "max_test": 40},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
    "arms": ["filter", "soft"],
    "seeds": 2,
}
REASON = "All 9 kept examples have the same label, 0."


def without(seeds: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter keeps one class in these seeds."""
    plain = Arm.select

    def select(self: Arm, votes: Any, reliability: Any, true: Any, seed: int) -> sy.Selection:
        if self.name == "filter" and seed in seeds:
            raise NothingToLearn(REASON)
        return plain(self, votes, reliability, true, seed)

    monkeypatch.setattr(Arm, "select", select)


def test_an_arm_without_anything_to_learn_in_one_seed_is_measured_in_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without({0}, monkeypatch)
    found = sy.study(SETTINGS, tmp_path, workers=1).results
    arm = found["arms"]["filter"]
    assert [seed["score"] is None for seed in arm["seeds"]] == [True, False]
    assert arm["seeds"][0]["reason"] == REASON
    assert arm["score"]["value"] == arm["seeds"][1]["score"]
    assert arm["reason"] == f"Not trained in seed 0: {REASON}"
    assert f"`filter`: {arm['reason']}" in found["warnings"]
    naive = found["arms"]["naive"]["seeds"][1]["score"]
    assert arm["vs_naive"]["difference"] == pytest.approx(arm["score"]["value"] - naive)
    assert found["arms"]["soft"]["reason"] is None


def test_an_arm_without_anything_to_learn_is_not_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without({0, 1}, monkeypatch)
    result = sy.study(SETTINGS, tmp_path, workers=1)
    arm = result.results["arms"]["filter"]
    assert (arm["score"], arm["pgr"], arm["vs_naive"]) == (None, None, None)
    assert arm["pgr_reason"] == f"Not trained in seeds 0, 1: {REASON}"
    row = next(line for line in str(result).splitlines() if line.strip().startswith("filter"))
    assert "n/a" in row
    assert REASON in (tmp_path / "report.md").read_text()
    stored = json.loads((tmp_path / "results.json").read_text())
    monkeypatch.undo()  # the outcome is stored: nothing is tried again
    again = sy.study(SETTINGS, tmp_path, workers=1).results
    assert again["arms"] == stored["arms"]


def test_the_advice_can_be_typed(tmp_path: Path) -> None:
    one = "errands-train-"
    rows = [{"id": f"{one}{i}", "voter": "ann", "answer": "health"} for i in range(4000)]
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    study = {**SETTINGS, "supervisors": [{"kind": "votes", "path": str(path)}]}
    with pytest.raises(sy.InputError, match="the arm `filter_balanced`"):
        sy.study(study, tmp_path / "run", workers=1)
