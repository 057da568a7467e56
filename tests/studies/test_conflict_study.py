"""Arms that are drawn away from the truth, by a second aim or another task, and their controls."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import steelyard as sy
from pair_files import lines, rows, settings, write_pairs
from steelyard.errors import ConfigError, InputError
from steelyard.report import study_markdown
from steelyard.report.study_html import study_page
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.training import planned_steps, training_set

EXPLICIT: dict[str, Any] = {
    "name": "explicit",
    "selection": "hard",
    "objective": {"kind": "conflict", "share": 0.5},
}
IMPLICIT: dict[str, Any] = {"name": "implicit", "selection": "hard"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_pairs(tmp_path_factory.mktemp("pairs"))
    helpful = [{**row, "prompt": f"is it fine {i}"} for i, row in enumerate(rows("train", 20))]
    (folder / "helpful.jsonl").write_text(lines(helpful))
    return folder


def asked(files: Path, model: str, *arms: Any, **changes: Any) -> dict[str, Any]:
    student = {
        **{"kind": "chooser", "model": model, "precision": "fp32"},
        **{"learning_rate": 1e-2, "batch_size": 8, "epochs": 6},
    }
    mixed = {**IMPLICIT, "mix": {"train": str(files / "helpful.jsonl"), "rows": 12}}
    chosen = list(arms) or [EXPLICIT, mixed]
    plain = {"arms": chosen, "student": student, "references": [], "ceiling_epochs": []}
    return settings(files, **{**plain, "match": "epochs", **changes})


@pytest.fixture(scope="module")
def finished(files: Path, tiny_bert: str) -> Any:
    return sy.study(asked(files, tiny_bert), files / "run", workers=1)


def test_half_of_the_rows_oppose_the_truth(files: Path, tiny_bert: str, tmp_path: Path) -> None:
    run = Run(make_study(asked(files, tiny_bert)), Store(tmp_path))
    data, _ = training_set(run, 0, "explicit")
    plain, _ = training_set(run, 0, "no_conflict.explicit")
    truth = run.task(0).strong_train.truth
    assert data.opposed is not None
    assert plain.opposed is None
    opposed = data.opposed.sum(axis=1) == 1
    assert opposed.sum() == len(truth) / 2 == 24  # 60 pairs without the 12 of weak_train
    assert (data.opposed.argmax(axis=1) == truth)[opposed].all()
    assert not data.opposed[~opposed].any()
    np.testing.assert_array_equal(data.targets, plain.targets)
    again, _ = training_set(Run(run.study, Store(tmp_path)), 0, "explicit")
    np.testing.assert_array_equal(again.opposed, data.opposed)


def test_rows_of_another_task_stand_behind_with_their_truth(
    files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    run = Run(make_study(asked(files, tiny_bert)), Store(tmp_path))
    data, selection = training_set(run, 0, "implicit")
    plain, _ = training_set(run, 0, "no_conflict.implicit")
    assert len(data.questions) == len(plain.questions) + 12 == len(selection.ids) + 12
    assert {question.id[:10] for question in data.questions[-12:]} == {"mix/train-"}
    texts = {str(question.choices) for question in data.questions[-12:]}
    assert len(texts) > 1
    np.testing.assert_allclose(data.weights[-12:], plain.weights.mean())
    assert planned_steps(run, 0, "implicit", data) == 6 * -(-(48 + 12) // 8)  # epochs, batch of 8
    other, _ = training_set(Run(run.study, Store(tmp_path)), 0, "implicit")
    assert [q.id for q in other.questions] == [q.id for q in data.questions]


def test_every_conflict_has_a_control_and_makes_no_claim(finished: Any) -> None:
    arms = finished.results["arms"]
    assert {name: arm["role"] for name, arm in arms.items()} == {
        **{"naive": "arm", "majority": "arm", "explicit": "conflict", "implicit": "conflict"},
        **{"no_conflict.explicit": "control", "no_conflict.implicit": "control"},
    }
    for name in ("explicit", "implicit"):
        assert arms[name]["vs_control"]["control"] == f"no_conflict.{name}"
        assert arms[name]["vs_naive"]["p_holm"] is None
        assert name not in finished.results["best"]["chosen"]
    stored = finished.results["artifacts"]
    control = stored["seed-0/no_conflict.explicit/student"]
    assert stored["seed-0/majority/student"] == control  # the same labels: trained once
    assert stored["seed-0/explicit/student"] != control != stored["seed-0/implicit/student"]


def test_deception_is_measured_against_the_control(finished: Any) -> None:
    arms = finished.results["deception"]["arms"]
    for name in ("explicit", "implicit"):
        pair = [arms[key]["conflict"]["value"] for key in (name, f"no_conflict.{name}")]
        versus = arms[name]["vs_no_conflict"]
        assert versus["difference"] == pytest.approx(pair[0] - pair[1])
        assert versus["low"] <= versus["difference"] <= versus["high"]
        assert arms[f"no_conflict.{name}"]["vs_no_conflict"] is None
    for page in (study_markdown(finished.results), study_page(finished.results)):
        assert "less no conflict" in page
        assert "2 conflicts" in page
        assert "Drawn away from the truth" in page


def test_the_lock_file_runs_again(finished: Any, files: Path) -> None:
    lock = yaml.safe_load((finished.folder / "study.lock.yaml").read_text())
    (mix,) = [arm["mix"] for arm in lock["arms"] if arm["mix"]]
    assert (finished.folder / mix["train"]).resolve() == (files / "helpful.jsonl").resolve()
    again = sy.study(finished.folder / "study.lock.yaml", finished.folder, workers=1)
    assert again.results["arms"] == finished.results["arms"]


@pytest.mark.parametrize(
    ("row", "number", "message"),
    [
        ({}, 21, "`mix` draws 21 rows, and helpful.jsonl has 20"),
        ({"prompt": "the plot 3 is"}, 5, "is also a test row"),
    ],
)
def test_rows_that_cannot_be_mixed_stop_the_study_before_training(
    row: dict[str, Any], number: int, message: str, files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    written = json.loads((files / "helpful.jsonl").read_text().splitlines()[0])
    test = json.loads((files / "test.jsonl").read_text().splitlines()[3])
    changed = {**written, **(test if row.get("prompt") else {}), **row, "id": "changed"}
    kept = (files / "helpful.jsonl").read_text().splitlines()[1:]
    (tmp_path / "helpful.jsonl").write_text("\n".join([*kept, json.dumps(changed)]))
    arm = {**IMPLICIT, "mix": {"train": str(tmp_path / "helpful.jsonl"), "rows": number}}
    with pytest.raises(InputError, match=message) as error:
        sy.study(asked(files, tiny_bert, arm), tmp_path / "run", workers=1)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "run" / "store").glob("student-*"))


@pytest.mark.parametrize(
    ("arm", "student", "message"),
    [
        (EXPLICIT, {"kind": "preference", "lora": None}, "objective: conflict"),
        ({**EXPLICIT, "selection": "per_supervisor"}, {}, "needs one label per example"),
        ({**EXPLICIT, "objective": {"kind": "conflict", "share": 0}}, {}, "share"),
        ({**IMPLICIT, "mix": {"train": "a.jsonl", "rows": 0}}, {}, "rows"),
    ],
)
def test_conflicts_that_cannot_work_are_refused(
    arm: dict[str, Any], student: dict[str, Any], message: str, files: Path, tiny_bert: str
) -> None:
    plain = asked(files, tiny_bert, arm)
    with pytest.raises(ConfigError, match=message) as error:
        make_study({**plain, "student": {**plain["student"], **student}})
    assert "\n" not in str(error.value)
