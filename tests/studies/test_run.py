"""A whole study on the embedded task, with probes: seconds, and every promise but training."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import steelyard as sy
from steelyard.models import frozen as trunk
from steelyard.models import logistic
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.votes import collect_votes
from steelyard.studies.why import explain

SETTINGS: dict[str, Any] = {
    "name": "probes",
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 120, "strong_train": 200, "max_test": 300},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {"kind": "probe", "model": "minilm", "layers": 2, "regularization": 1.0},
    "arms": ["filter", "reweigh", "truth_filter"],
    "seeds": 2,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    sy.study(SETTINGS, folder, workers=1)
    return folder


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def without_clock(found: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in found.items() if k not in ("seconds", "costs", "reproduce")}


def test_the_folder_holds_what_the_contract_says(finished: Path) -> None:
    for name in ("results.json", "report.html", "report.md", "study.lock.yaml", "store"):
        assert (finished / name).exists(), name
    found = results(finished)
    assert set(found["arms"]) == {
        "naive",
        "majority",
        "filter",
        "reweigh",
        "truth_filter",
        "random_keep",
        "shuffled_weights",
    }
    assert found["weak"]["low"] < found["weak"]["value"] < found["weak"]["high"]
    assert found["ceiling"]["value"] > found["weak"]["value"]
    for arm in found["arms"].values():
        assert len(arm["seeds"]) == 2
        assert (arm["pgr"] is None) == (arm["pgr_reason"] is not None)
    assert set(found["reliability"]) == {"vote_share", "vote_entropy"}


def test_only_the_oracle_has_all_labels_right(finished: Path) -> None:
    arms = results(finished)["arms"]
    right = {name: [s["label_accuracy"] for s in arm["seeds"]] for name, arm in arms.items()}
    assert right["truth_filter"] == [1.0, 1.0]
    assert all(max(rates) < 1 for name, rates in right.items() if name != "truth_filter")
    assert arms["random_keep"]["seeds"][0]["rows"] == arms["filter"]["seeds"][0]["rows"]


def test_running_again_makes_nothing_and_says_the_same(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = results(finished)
    monkeypatch.setattr(
        "steelyard.student.probe.Probe.fit_all", lambda *_, **__: pytest.fail("fitted again")
    )
    sy.study(SETTINGS, finished, workers=1)
    assert without_clock(results(finished)) == without_clock(before)


def test_probes_of_all_arms_and_seeds_are_fitted_in_one_solve_on_texts_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved, read = [], []
    fit, mean_states = logistic.fit_heads, trunk.mean_states

    def fit_counted(features: Any, lessons: Any, strength: float) -> Any:
        solved.append(len(lessons))
        return fit(features, lessons, strength)

    def read_counted(model: Any, encoded: Any, precision: str) -> Any:
        read.append(len(encoded))
        return mean_states(model, encoded, precision)

    monkeypatch.setattr("steelyard.student.probe.fit_heads", fit_counted)
    monkeypatch.setattr(trunk, "mean_states", read_counted)
    sy.study(SETTINGS, tmp_path, workers=1)
    run = Run(make_study(SETTINGS), Store(tmp_path / "store"))
    tasks = [run.task(seed) for seed in (0, 1)]
    trained_on = {q for t in tasks for q in (*t.weak_train.questions, *t.strong_train.questions)}
    assert solved == [2 * 10]  # two seeds of the ceiling, two references and seven arms
    assert sum(read) == len(trained_on | {*run.task(0).test.questions}) < 2 * 320 + 300


def test_arms_that_teach_the_same_lesson_share_one_student(tmp_path: Path) -> None:
    twin = {"name": "twin", "reliability": "vote_share", "selection": "hard"}  # as `majority`
    study = {**SETTINGS, "arms": ["majority", twin], "seeds": 1}
    found = sy.study(study, tmp_path, workers=1).results
    made = found["artifacts"]
    assert made["seed-0/twin/student"] == made["seed-0/majority/student"]
    assert found["arms"]["twin"]["score"] == found["arms"]["majority"]["score"]
    assert all(not entry.changes for entry in explain(tmp_path))


def test_losing_any_result_changes_nothing_but_time(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    stored = sorted(p for p in (folder / "store").glob("*-*") if p.is_dir())
    for path in stored[::3]:
        shutil.rmtree(path)
    sy.study(SETTINGS, folder, workers=1)
    assert without_clock(results(folder)) == without_clock(results(finished))


def test_why_says_that_nothing_changed_and_what_would(finished: Path, tmp_path: Path) -> None:
    assert all(not entry.changes for entry in explain(finished))
    folder = shutil.copytree(finished, tmp_path / "copy")
    lock = folder / "study.lock.yaml"
    lock.write_text(lock.read_text().replace("regularization: 1.0", "regularization: 0.5"))
    changed = {entry.role: entry.changes for entry in explain(folder) if entry.changes}
    assert changed["seed-0/ceiling/student"] == ("settings.regularization: 1.0 -> 0.5",)
    assert not any("votes" in role for role in changed)


def test_another_arm_makes_only_what_it_needs(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    before = {p.name for p in (folder / "store").iterdir()}
    sy.study({**SETTINGS, "arms": [*SETTINGS["arms"], "soft"]}, folder, workers=1)
    kinds = sorted(
        p.name.split("-")[0] for p in (folder / "store").iterdir() if p.name not in before
    )
    assert kinds == ["selection", "selection", "student", "student"]


def test_truth_of_strong_train_reaches_no_arm_but_the_oracle(tmp_path: Path) -> None:
    study = make_study({**SETTINGS, "seeds": 1})
    run = Run(study, Store(tmp_path))
    honest = {arm.name: select_labels(run, 0, arm)[0] for arm in study.all_arms}
    task = run.task(0)
    task.strong_train.truth[:] = 0  # were it read, selections would change
    again = Run(study, Store(tmp_path / "other"))
    object.__setattr__(again, "task", lambda seed: task)
    for arm in study.all_arms:
        if arm.role != "oracle" and arm.name in honest:
            selection = select_labels(again, 0, arm)[0]
            assert selection.targets.tolist() == honest[arm.name].targets.tolist()
            assert selection.weights.tolist() == honest[arm.name].weights.tolist()


def test_votes_alone_need_no_labelled_rows(finished: Path, tmp_path: Path) -> None:
    run = Run(make_study(SETTINGS), Store(tmp_path / "s"))
    votes, task = collect_votes(run, 0), run.task(0)
    rows = [
        {"id": v.ids[e], "voter": v.voters[w], "answer": task.classes[a]}
        for v in votes
        for e, w, a in zip(v.example, v.voter, v.answer, strict=True)
    ]
    (tmp_path / "votes.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    train = task.strong_train
    for name, split in (("train", train), ("test", task.test)):
        lines = [
            json.dumps({"id": q.id, "text": q.text, "label": task.classes[t]})
            for q, t in zip(split.questions, split.truth, strict=True)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    study = {
        **SETTINGS,
        "data": {
            "train": str(tmp_path / "train.jsonl"),
            "test": str(tmp_path / "test.jsonl"),
            "weak_train": 0,
        },
        "supervisors": [{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        "seeds": 1,
    }
    found = sy.study(study, tmp_path / "out", workers=1).results
    assert found["votes"]["voters"] == 3
    right = votes.test.answer == task.test.truth[votes.test.example]
    assert found["weak"]["value"] == pytest.approx(right.mean())  # three single supervisors
    ensemble = results(finished)["weak_ensemble"]["seeds"][0]
    assert found["weak_ensemble"]["value"] == pytest.approx(ensemble)


def test_two_supervisors_of_equal_settings_are_two(tmp_path: Path) -> None:
    twice = [{"kind": "tfidf", "voters": 2}] * 2
    study = make_study({**SETTINGS, "supervisors": twice, "seeds": 1})
    votes = collect_votes(Run(study, Store(tmp_path)), 0).strong_train
    assert votes.voters == ("tfidf/0", "tfidf/1", "tfidf/0#2", "tfidf/1#2")
    first, third = (votes.of_voter(v).probs for v in (0, 2))
    assert first is not None
    assert third is not None
    assert first.tolist() != third.tolist()


def test_the_result_prints_its_table(finished: Path) -> None:
    text = str(sy.Result(finished, results(finished)))
    assert "naive" in text
    assert "ceiling" in text
