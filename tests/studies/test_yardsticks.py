"""What arms are measured against: one honest supervisor, and students taught true labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

import steelyard as sy
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.results.gold_curve import RowsWorth, rows_worth
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.single_supervisors import (
    arm_votes,
    held_out_accuracy,
    single_supervisors,
    teacher_of,
)
from steelyard.studies.training import training_set
from steelyard.supervision.tfidf import WORDS

SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"generated": "errands", "weak_train": 40, "strong_train": 60, "max_test": 60},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {
        **{"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
        "regularization": 1.0,
    },
    "arms": ["majority"],
    "seeds": 2,
    "gold_curve": [0, 10, 40, 100, 1000],
}

SEVERAL = [
    {"kind": "tfidf", "voters": 2},
    {"kind": "tfidf", "voters": 1, "regularization": 0.01},
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sy.study(SETTINGS, tmp_path_factory.mktemp("run"), workers=1).results


def test_the_floor_is_one_supervisor_that_learned_all_labelled_rows(
    found: dict[str, Any], tmp_path: Path
) -> None:
    task = Run(make_study(SETTINGS), Store(tmp_path)).task(0)
    words = TfidfVectorizer(**WORDS)  # a second implementation, without a bootstrap
    table = words.fit_transform([q.text for q in task.weak_train.questions])
    model = LogisticRegression(C=10.0, max_iter=1000).fit(table, task.weak_train.truth)
    asked = words.transform([q.text for q in task.test.questions])
    right = float((model.predict(asked) == task.test.truth).mean())
    assert found["weak"]["seeds"][0] == pytest.approx(right)
    assert found["supervisors"] == [found["weak_best"]]
    assert found["weak_best"]["name"] == "tfidf"
    train = words.transform([q.text for q in task.strong_train.questions])
    labels = float((model.predict(train) == task.strong_train.truth).mean())
    assert found["arms"]["naive"]["seeds"][0]["label_accuracy"] == pytest.approx(labels)


def test_naive_learns_the_probabilities_of_that_supervisor_and_hard_labels_on_request(
    tmp_path: Path,
) -> None:
    hard = {"name": "hard", "selection": {"kind": "first_voter", "labels": "hard"}}
    study = make_study({**SETTINGS, "arms": [hard]})
    run = Run(study, Store(tmp_path))
    votes = teacher_of(run, 0).votes.strong_train
    assert votes.probs is not None
    soft = select_labels(run, 0, study.arm("naive"))[0]
    assert soft.targets.tolist() == votes.probs.tolist()
    one_hot = select_labels(run, 0, study.arm("hard"))[0]
    assert one_hot.targets.argmax(axis=1).tolist() == votes.answer.tolist()
    assert set(one_hot.targets.ravel()) == {0.0, 1.0}


def test_supervisors_take_turns_and_naive_is_set_against_its_own(tmp_path: Path) -> None:
    settings = {**SETTINGS, "supervisors": SEVERAL, "gold_curve": [], "references": []}
    result = sy.study(settings, tmp_path / "run", workers=1).results
    run = Run(make_study(settings), Store(tmp_path / "run" / "store"))
    names = [single.name for single in single_supervisors(run, 0)]
    assert [teacher_of(run, seed).name for seed in (0, 1)] == names
    scores = {single["name"]: single["seeds"] for single in result["supervisors"]}
    mean = np.mean([scores[name] for name in names], axis=0)
    assert result["weak"]["seeds"] == pytest.approx(mean)
    own = [scores[names[0]][0], scores[names[1]][1]]
    assert result["arms"]["naive"]["floor"] == pytest.approx(np.mean(own))
    for i, seed in enumerate(result["arms"]["naive"]["seeds"]):
        if seed["pgr"] is not None:
            gap = result["ceiling"]["seeds"][i] - own[i]
            assert seed["pgr"] == pytest.approx((seed["score"] - own[i]) / gap)


def test_the_best_supervisor_is_chosen_without_the_truth_of_strong_train_and_test(
    tmp_path: Path,
) -> None:
    study = make_study({**SETTINGS, "supervisors": SEVERAL, "seeds": 1})
    run = Run(study, Store(tmp_path / "one"))
    known = held_out_accuracy(run, 0)
    assert None not in known
    other = Run(study, Store(tmp_path / "two"))
    task = other.task(0)
    task.strong_train.truth[:] = 0
    task.test.truth[:] = 0
    assert held_out_accuracy(other, 0) == known


def test_references_are_taught_the_truth_of_weak_train(
    found: dict[str, Any], tmp_path: Path
) -> None:
    run = Run(make_study(SETTINGS), Store(tmp_path))
    task = run.task(0)
    gold = training_set(run, 0, "gold_only")[0]
    assert gold.questions == task.weak_train.questions
    assert gold.targets.argmax(axis=1).tolist() == task.weak_train.truth.tolist()
    both, majority = training_set(run, 0, "gold_and_weak")[0], training_set(run, 0, "majority")[0]
    assert both.questions == (*gold.questions, *majority.questions)
    assert both.targets.tolist() == [*gold.targets.tolist(), *majority.targets.tolist()]
    assert set(found["references"]) == {"gold_only", "gold_and_weak"}  # a probe has no zero_shot
    assert [seed["rows"] for seed in found["references"]["gold_only"]["seeds"]] == [40, 40]
    arm = found["arms"]["majority"]
    lead = arm["score"]["value"] - found["references"]["gold_only"]["score"]["value"]
    assert arm["vs_gold_only"]["difference"] == pytest.approx(lead)


def test_the_gold_curve_goes_from_guessing_to_the_ceiling(found: dict[str, Any]) -> None:
    points = {point["rows"]: point for point in found["gold_curve"]["points"]}
    assert points[0]["score"]["value"] == pytest.approx(1 / 4)  # four equally probable classes
    assert points[40]["score"]["seeds"] == pytest.approx(
        found["references"]["gold_only"]["score"]["seeds"]
    )
    assert points[1000]["score"] is None
    assert points[1000]["reason"] == "Not trained in seeds 0, 1: There are only 100 train rows."
    assert found["gold_curve"]["worth"].keys() == {"naive", "majority"}


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (0.5, RowsWorth(0.0, 0, 0)),
        (0.4, RowsWorth(None, 0, 0)),
        (0.9, RowsWorth(None, 99, None)),
        (0.8, RowsWorth(99.0, 9, 99)),
        # between 9 and 99 rows ln(1 + rows) goes from ln 10 to ln 100; half way is ln 31.62
        (0.7, RowsWorth(10**1.5 - 1, 9, 99)),
    ],
)
def test_rows_worth_by_hand(score: float, expected: RowsWorth) -> None:
    for sign, lower in ((1, False), (-1, True)):
        curve = [(0, sign * 0.5), (9, sign * 0.6), (99, sign * 0.8)]
        worth = rows_worth(curve, sign * score, lower)
        assert (worth.at_least, worth.at_most) == (expected.at_least, expected.at_most)
        assert worth.rows == pytest.approx(expected.rows)


def votes_study(folder: Path, **settings: Any) -> dict[str, Any]:
    """A study of votes alone, without labelled rows."""
    rows = [{"id": f"r{i}", "text": f"word{i % 2} and {i}", "label": f"{i % 2}"} for i in range(60)]
    for name, part in (("train", rows[:40]), ("test", rows[40:])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
    votes = [
        {"id": row["id"], "voter": voter, "answer": row["label"] if i % wrong else "1"}
        for i, row in enumerate(rows)
        for voter, wrong in (("ann", 3), ("bob", 4))
    ]
    (folder / "votes.jsonl").write_text("\n".join(map(json.dumps, votes)))
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "test")}
    return {
        **SETTINGS,
        "data": {**files, "weak_train": 0},
        "supervisors": [{"kind": "votes", "path": str(folder / "votes.jsonl")}],
        "gold_curve": [],
        **settings,
    }


def test_without_labelled_rows_references_say_why_they_are_missing(tmp_path: Path) -> None:
    result = sy.study(votes_study(tmp_path), tmp_path / "run", workers=1)
    for name in ("gold_only", "gold_and_weak"):
        part = result.results["references"][name]
        assert part["score"] is None
        assert "`data.weak_train` is 0: no row has a known truth." in part["reason"]
    assert result.results["arms"]["majority"]["vs_gold_only"] is None
    assert [one["name"] for one in result.results["supervisors"]] == ["ann", "bob"]
    assert result.results["weak_best"] is None  # nothing tells without the truth
    assert "is 0: no row has a known truth" in (tmp_path / "run" / "report.md").read_text()


def test_references_can_be_switched_off_and_their_names_are_taken(tmp_path: Path) -> None:
    study = make_study({**SETTINGS, "references": ["gold_only"], "gold_curve": []})
    assert study.reference_names == ("gold_only",)
    with pytest.raises(sy.ConfigError, match="`gold_only` is the name of a reference"):
        make_study({**SETTINGS, "arms": [{"name": "gold_only", "selection": "hard"}]})
    with pytest.raises(sy.ConfigError, match="`gold-30` is the name of a reference"):
        make_study({**SETTINGS, "arms": [{"name": "gold-30", "selection": "hard"}]})


def test_exchanging_class_names_changes_no_score_of_a_study(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 80)
    right, silent = rng.random((80, 2)) < 0.6, rng.random((80, 2)) < 0.4
    found = []
    for names in (("alpha", "zeta"), ("zeta", "alpha")):
        folder = tmp_path / names[0]
        folder.mkdir()
        rows = [
            {"id": f"r{i}", "text": f"word{k} and {i}", "label": names[k]}
            for i, k in enumerate(truth)
        ]
        votes = [
            {
                "id": f"r{i}",
                "voter": voter,
                "answer": None if silent[i, v] else names[k if right[i, v] else 1 - k],
            }
            for i, k in enumerate(truth)
            for v, voter in enumerate(("ann", "bob"))
        ]
        for name, part in (("train", rows[:50]), ("test", rows[50:]), ("votes", votes)):
            (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
        study = {
            **votes_study(tmp_path),
            "data": {name: str(folder / f"{name}.jsonl") for name in ("train", "test")}
            | {"weak_train": 0},
            "supervisors": [{"kind": "votes", "path": str(folder / "votes.jsonl")}],
            "arms": ["majority", "filter", "reweigh"],
            "seeds": 1,
        }
        study["data"]["strong_train"] = 50
        found.append(sy.study(study, folder / "run", workers=1).results)
    one, two = found
    # 0.6 of the 0.6 answered: far below the half that counting silence as a class would give
    answered = ~silent[50:]
    assert one["weak"]["value"] == pytest.approx((right[50:] & answered).mean())
    for key in ("weak", "weak_ensemble", "ceiling"):
        assert one[key]["value"] == pytest.approx(two[key]["value"])
    for name, arm in one["arms"].items():
        other = two["arms"][name]
        assert arm["score"]["value"] == pytest.approx(other["score"]["value"])
        seeds = [part["seeds"][0] for part in (arm, other)]
        assert seeds[0]["label_accuracy"] == pytest.approx(seeds[1]["label_accuracy"])
        assert seeds[0]["agreement"] == pytest.approx(seeds[1]["agreement"])


def test_votes_without_bootstrap_are_those_of_voters_that_learned_all_rows(tmp_path: Path) -> None:
    supervisors = [*SEVERAL, {"kind": "tfidf", "voters": 1, "regularization": 0.1}]
    arms = [{"name": "whole", "votes": "without_bootstrap", "selection": "hard"}, "refine"]
    settings = {**SETTINGS, "supervisors": supervisors, "arms": arms}
    run = Run(make_study(settings), Store(tmp_path))
    votes = arm_votes(run, 0, run.study.arm("whole"))
    assert votes is arm_votes(run, 0, run.study.arm("refine"))
    singles = single_supervisors(run, 0)
    assert len(votes.strong_train.voters) == len(singles) == 3
    means = np.mean([single.votes.strong_train.means() for single in singles], axis=0)
    np.testing.assert_allclose(votes.strong_train.means(), means)
    means = np.mean([single.votes.test.means() for single in singles], axis=0)
    np.testing.assert_allclose(votes.test.means(), means)
    assert len(arm_votes(run, 0, run.study.arm("majority")).strong_train.voters) == 4
