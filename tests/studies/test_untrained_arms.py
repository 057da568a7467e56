"""An arm that has nothing to learn in a seed becomes n/a there; the study goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from steelyard.errors import TrainingCollapsed
from steelyard.selection import NothingToLearn
from steelyard.studies.arms import Arm

SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 40, "strong_train": 60, "max_test": 40},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {
        **{"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
        "regularization": 1.0,
    },
    "arms": ["filter", "soft"],
    "seeds": 2,
}
REASON = "All 9 kept examples have the same label, 0."


def without(seeds: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter keeps one class in these seeds."""
    plain = Arm.select

    def select(
        self: Arm, votes: Any, reliability: Any, true: Any, seed: int, *slices: Any
    ) -> sy.Selection:
        if self.name == "filter" and seed in seeds:
            raise NothingToLearn(REASON)
        return plain(self, votes, reliability, true, seed, *slices)

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


def test_votes_of_one_class_leave_floor_ceiling_and_reasons(tmp_path: Path) -> None:
    """A language model that always says one class is the ordinary case, and no end of a study."""
    one = "errands-train-"
    rows = [{"id": f"{one}{i}", "voter": "ann", "answer": "health"} for i in range(4000)]
    path = tmp_path / "votes.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    study = {**SETTINGS, "supervisors": [{"kind": "votes", "path": str(path)}]}
    result = sy.study(study, tmp_path / "run", workers=1)
    found = result.results
    assert found["ceiling"]["value"] > 0.5
    for name in ("naive", "filter", "soft"):
        arm = found["arms"][name]
        assert arm["score"] is None
        assert "All 60 kept examples have the same label, `health`;" in arm["reason"]
        assert "the arm `filter_balanced`" in arm["reason"]
    for page in ("report.md", "report.html"):
        assert "have the same label" in (tmp_path / "run" / page).read_text()
    assert "n/a" in str(result)


def test_a_student_that_collapses_in_one_seed_is_measured_in_the_other(
    tmp_path: Path, tiny_bert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that seed of that arm is lost; the outcome is stored; the ceiling may not collapse."""
    from steelyard.student.finetuned import Classifier

    plain, tried = Classifier.fit, []

    def fit(self: Any, data: Any, options: Any) -> Any:
        tried.append(options.seed)
        if options.seed == lost and len(data.questions) == size:
            raise TrainingCollapsed("The loss is nan at step 3.")
        return plain(self, data, options)

    monkeypatch.setattr(Classifier, "fit", fit)
    student = {"kind": "classifier", "model": tiny_bert, "epochs": 1, "max_tokens": 16}
    study = {**SETTINGS, "student": student, "references": ["gold_only"]}
    lost, size = 1, 40  # gold_only, taught the 40 rows of weak_train
    found = sy.study(study, tmp_path, workers=1).results
    (reference,) = [r for r in found["references"].values()]
    assert reference["reason"] == "Not trained in seed 1: The loss is nan at step 3."
    assert found["arms"]["soft"]["score"] is not None
    tried.clear()
    assert sy.study(study, tmp_path, workers=1).results["references"] == found["references"]
    assert tried == []
    size = 60  # all arms and the ceiling
    with pytest.raises(sy.TrainingError, match="`ceiling`, seed 1: The loss is nan"):
        sy.study(study, tmp_path / "other", workers=1)
