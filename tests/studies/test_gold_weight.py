"""True labels of weak_train beside an arm's own labels, with a weight."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from steelyard.errors import ConfigError
from steelyard.report.study_sentences import study_notes
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.references import ReferenceRows, join_rows
from steelyard.studies.results.recommended import recommendation
from steelyard.studies.run import Run
from steelyard.studies.selecting import selection_inputs
from steelyard.studies.training import planned_steps, training_set
from steelyard.types import Question

MINE = {"name": "mine", "selection": {"kind": "weigh_by_share"}, "gold_weight": 5}


def write(folder: Path) -> dict[str, Any]:
    """Eight rows of weak_train, twenty of strong_train, with votes of two voters."""
    rng = np.random.default_rng(0)
    files: dict[str, list[dict[str, Any]]] = {"train": [], "test": [], "votes": []}
    for i in range(36):
        label = ("no", "yes")[i % 2]
        text = f"{('bad', 'good')[i % 2]} film {i}"
        files["train" if i < 28 else "test"].append({"id": f"r{i}", "text": text, "label": label})
        for voter in ("ann", "bob"):
            given = label if rng.random() < 0.7 else ("yes", "no")[i % 2]
            files["votes"].append({"id": f"r{i}", "voter": voter, "answer": given})
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "task": "classification",
        "data": {
            **{name: str(folder / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 8,
        },
        "supervisors": [{"kind": "votes", "path": str(folder / "votes.jsonl")}],
        "student": {"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 16},
        "arms": [MINE, {"name": "plain", "selection": {"kind": "weigh_by_share"}}],
        "references": [],
        "seeds": 1,
    }


def test_rows_are_joined_by_hand() -> None:
    first = ReferenceRows((Question("a", "A"),), np.array([[0.5, 0.5]]), np.array([2.0]))
    second = ReferenceRows((Question("b", "B"),), np.array([[0.0, 0.0, 1.0]]), np.array([3.0]))
    both = join_rows(first, second)
    assert [question.id for question in both.questions] == ["a", "b"]
    np.testing.assert_array_equal(both.targets, [[0.5, 0.5, 0], [0, 0, 1]])
    np.testing.assert_array_equal(both.weights, [2, 3])


def test_each_true_row_weighs_as_five_kept_ones(tmp_path: Path) -> None:
    run = Run(make_study(write(tmp_path)), Store(tmp_path / "store"))
    data, selection = training_set(run, 0, "mine")
    plain, _ = training_set(run, 0, "plain")
    gold = run.task(0).weak_train
    assert len(selection.ids) == len(plain.questions) == 20
    assert data.questions == (*plain.questions, *gold.questions)
    np.testing.assert_array_equal(data.targets[:20], plain.targets)
    np.testing.assert_array_equal(data.weights[:20], plain.weights)
    np.testing.assert_array_equal(data.targets[20:], np.eye(2)[gold.truth])
    # Kept weights have mean 1 (some are above, some below), so that a true row weighs 5 x 1.
    kept = plain.weights[plain.weights > 0]
    assert kept.std() > 0
    assert kept.mean() == pytest.approx(1)
    np.testing.assert_allclose(data.weights[20:], 5)


def test_steps_are_those_of_all_rows(tmp_path: Path, tiny_bert: str) -> None:
    student = {"kind": "classifier", "model": tiny_bert, "epochs": 2, "batch_size": 4}
    run = Run(make_study({**write(tmp_path), "student": student}), Store(tmp_path / "store"))
    data, selection = training_set(run, 0, "mine")
    assert selection.kept == 20
    assert planned_steps(run, 0, "mine", data) == 2 * 7  # (20 + 8) / 4, twice


def test_it_is_part_of_the_student_and_not_of_the_selection(tmp_path: Path) -> None:
    """Both arms have one selection; without the setting a student is named as ever."""
    plain = write(tmp_path)
    run = Run(make_study(plain), Store(tmp_path / "store"))
    arms = [run.study.arm(name) for name in ("mine", "plain")]
    assert selection_inputs(run, 0, arms[0]) == selection_inputs(run, 0, arms[1])
    found = sy.study(plain, tmp_path / "run", workers=1).results["artifacts"]
    assert found["seed-0/mine/selection"] == found["seed-0/plain/selection"]
    assert found["seed-0/mine/student"] != found["seed-0/plain/student"]
    zero = {**MINE, "name": "zero", "gold_weight": 0}
    again = sy.study({**plain, "arms": [zero]}, tmp_path / "run", workers=1).results["artifacts"]
    assert again["seed-0/zero/student"] == found["seed-0/plain/student"]


def test_an_arm_with_true_rows_is_said_to_have_them(tmp_path: Path) -> None:
    plain = write(tmp_path)
    result = sy.study({**plain, "references": ["gold_only"]}, tmp_path / "run", workers=1)
    arms = result.results["arms"]
    assert [name for name, arm in arms.items() if arm["uses_gold"]] == [
        *("mine", "shuffled_weights.mine"),
    ]
    text = "With the true labels of weak_train besides the votes: mine."
    assert text in [note.text for note in study_notes(result.results)]
    assert text in result.report.with_suffix(".md").read_text()
    run = Run(make_study(plain), Store(tmp_path / "run" / "store"))
    advice = recommendation(run, None, "nothing was tried")
    assert advice.get("votes_alone") != "mine"


@pytest.mark.parametrize("kind", ["classifier", "language_model"])
def test_every_kind_of_student_learns_them(tmp_path: Path, tiny_bert: str, kind: str) -> None:
    from byte_models import save_byte_llama
    from steelyard.studies.training import train_student

    tuning = {"epochs": 1, "precision": "fp32", "batch_size": 8}
    if kind == "classifier":
        student = {"kind": kind, "model": tiny_bert, "max_tokens": 16, **tuning}
    else:
        save_byte_llama(tmp_path / "llama")
        student = {"kind": kind, "model": str(tmp_path / "llama"), "lora": None, **tuning}
    run = Run(make_study({**write(tmp_path), "student": student}), Store(tmp_path / "store"))
    record = train_student(run, 0, "mine").record
    assert (record["rows"], record["kept"], record["steps"]) == (20, 20, 4)  # (20 + 8) / 8


def test_of_open_answers_the_truth_is_the_only_candidate(tmp_path: Path) -> None:
    asked = {"one": "a", "two": "b", "three": "go a", "four": "c"}
    pairs = [(text, answer) for text, answer in asked.items()] * 3
    rows = [{"id": f"r{i}", "prompt": p, "answer": a} for i, (p, a) in enumerate(pairs)]
    votes = [
        {"id": row["id"], "voter": voter, "answer": text}
        for row in rows
        for voter, text in (("ann", row["answer"]), ("bob", "other"))
    ]
    for name, part in (("train", rows[:10]), ("test", rows[10:]), ("votes", votes)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    plain = {
        "task": "generation",
        "data": {
            **{name: str(tmp_path / f"{name}.jsonl") for name in ("train", "test")},
            **{"weak_train": 4, "leaks": "report"},
        },
        "supervisors": [{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        "student": {"kind": "language_model", "model": "any"},
        "arms": [{"name": "mine", "selection": "hard", "gold_weight": 2}],
        "references": [],
        "seeds": 1,
    }
    run = Run(make_study(plain), Store(tmp_path / "store"))
    data, selection = training_set(run, 0, "mine")
    gold = run.task(0).weak_train
    assert [q.choices for q in data.questions[len(selection.ids) :]] == [
        (text,) for text in gold.reference_texts
    ]
    np.testing.assert_array_equal(data.targets[len(selection.ids) :], [[1, 0]] * 4)
    np.testing.assert_array_equal(data.weights[len(selection.ids) :], [2] * 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selection": "per_supervisor", "objective": "joint"}, "adds rows with one label each"),
        ({"gold_weight": -1}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_joined_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_study({**write(tmp_path), "arms": [{**MINE, **changes}]})


def test_weak_train_is_needed(tmp_path: Path) -> None:
    plain = write(tmp_path)
    plain["data"]["weak_train"] = 0
    with pytest.raises(ConfigError, match="`gold_weight` of arm `mine` adds rows of weak_train"):
        make_study(plain)
