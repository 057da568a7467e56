"""Arms on shuffled votes: what is shuffled, what is trained on it, and how it is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from steelyard.errors import ConfigError
from steelyard.reliability import SelfTraining
from steelyard.reliability.protocol import EstimationData
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels, selection_inputs
from steelyard.studies.single_supervisors import arm_votes

SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 400, "strong_train": 100, "max_test": 40},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {
        **{"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
        "regularization": 1.0,
    },
    "arms": ["refine", "shuffled_votes.refine"],
    "references": [],
    "seeds": 1,
}
NAME = "shuffled_votes.refine"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(make_study(SETTINGS), Store(tmp_path_factory.mktemp("store")))


def test_it_has_the_settings_of_its_arm(run: Run) -> None:
    arm, control = run.study.arm("refine"), run.study.arm(NAME)
    assert (control.role, control.control, control.control_of) == (
        *("control", "shuffled_votes", "refine"),
    )
    assert control.reliability == arm.reliability
    assert control.selection == arm.selection
    names = [part.name for part in run.study.all_arms]
    assert names == ["naive", "majority", "refine", "random_keep", NAME]


def test_the_estimator_gets_the_shuffled_votes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    estimate = SelfTraining.estimate_from

    def noted(self: SelfTraining, data: EstimationData) -> sy.Reliability:
        seen.append(data.votes)
        return estimate(self, data)

    monkeypatch.setattr(SelfTraining, "estimate_from", noted)
    plain = select_labels(run, 0, run.study.arm("refine"))[1]
    shuffled = select_labels(run, 0, run.study.arm(NAME))[1]
    right = arm_votes(run, 0, run.study.arm("refine")).strong_train
    np.testing.assert_array_equal(seen[0].answer, right.answer)
    assert (seen[1].answer != right.answer).any()
    assert sorted(seen[1].answer) == sorted(right.answer)
    assert np.abs(plain.posterior - shuffled.posterior).max() > 0.1
    inputs = [selection_inputs(run, 0, run.study.arm(name)) for name in ("refine", NAME)]
    assert inputs[0]["votes"] != inputs[1]["votes"]


def test_a_study_trains_it_beside_the_other_control(tmp_path: Path) -> None:
    found = sy.study(SETTINGS, tmp_path, workers=1).results
    arm, control = found["arms"]["refine"], found["arms"][NAME]
    assert control["role"] == "control"
    assert arm["vs_control"]["control"] == "random_keep"  # as without it
    assert control["label_accuracy"]["value"] < arm["label_accuracy"]["value"]
    roles = set(found["artifacts"])
    assert {f"seed-0/{NAME}/selection", f"seed-0/{NAME}/student"} <= roles
    stored = [found["artifacts"][f"seed-0/{name}/student"] for name in ("refine", NAME)]
    assert stored[0] != stored[1]


def test_the_random_control_has_as_many_of_each_class_and_the_same_balance(run: Run) -> None:
    """Of refined labels too: kept labels by class, and the weight of each class."""
    arm, control = run.study.arm("refine"), run.study.arm("random_keep")
    kept, drawn = (select_labels(run, 0, part)[0] for part in (arm, control))
    for count in (lambda s: s.targets[s.weights > 0].sum(axis=0), lambda s: s.weights @ s.targets):
        np.testing.assert_allclose(count(drawn), count(kept))
    assert ((kept.weights > 0) != (drawn.weights > 0)).any()


def test_without_its_arm_or_classes_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="control of `refine`, which is not among the arms"):
        make_study({**SETTINGS, "arms": [NAME]})
    with pytest.raises(ConfigError, match="refine' is given twice"):
        make_study({**SETTINGS, "arms": ["refine", NAME, NAME]})
    open_study = {
        **SETTINGS,
        "task": "generation",
        "data": {"train": "a.jsonl", "test": "b.jsonl"},
        "supervisors": [{"kind": "votes", "path": "votes.jsonl"}],
        "student": {"kind": "language_model", "model": "any"},
        "arms": ["filter", "shuffled_votes.filter"],
    }
    with pytest.raises(ConfigError, match="open answers of generation cannot be exchanged"):
        make_study(open_study)
