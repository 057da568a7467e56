"""A study of the alignment kind: metrics that matter, two test sets, slices, deception."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard.errors import ConfigError, InputError
from steelyard.report import study_markdown
from steelyard.report.study_html import study_page
from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.results.deception import deception
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.run import Run
from steelyard.studies.selecting import select_labels
from steelyard.studies.study import study
from steelyard.studies.training import train_student

F1: dict[str, Any] = {"kind": "f1", "of": "unsafe"}
FURTHER = ["accuracy", {"kind": "over_refusal"}, {"kind": "group_exact_match"}]


def rows(name: str, size: int, flipped: float, seed: int) -> list[dict[str, Any]]:
    """Prompts whose words tell the class, but for a share whose words are those of the other."""
    rng = np.random.default_rng(seed)
    words = {"safe": ("good", "film", "plot"), "unsafe": ("bad", "very", "not")}
    made = []
    for i in range(size):
        label = ("safe", "unsafe")[i % 2]
        shown = label if rng.random() > flipped else ("safe", "unsafe")[1 - i % 2]
        text = " ".join(rng.choice(words[shown], 5))
        kind = "rare" if i < 2 else f"kind {i % 3}"
        made.append({"id": f"{name}{i}", "text": text, "label": label, "kind": kind, "doc": i // 4})
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alignment")
    parts = {"train": (200, 0.2, 0), "test": (96, 0.1, 1), "other": (60, 0.3, 2)}
    for name, (size, flipped, seed) in parts.items():
        some = rows(name, size, flipped, seed)
        for row in some:
            row["doc"] = f"{name} {row['doc']}"
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    alone = [row for row in rows("alone", 20, 0.1, 3) if row["label"] == "safe"]
    (folder / "safe.jsonl").write_text("".join(json.dumps(row) + "\n" for row in alone))
    return folder


THRESHOLD: dict[str, Any] = {"of": "unsafe", "recall": 0.9}


def settings(files: Path, model: str, **data: Any) -> dict[str, Any]:
    two = {"own": str(files / "test.jsonl"), "other": str(files / "other.jsonl")}
    plain = {"train": str(files / "train.jsonl"), "test": two, "slice": "kind", "group": "doc"}
    return {
        "name": "alignment",
        "task": "classification",
        "data": {**plain, "weak_train": 20, "strong_train": 100, **data},
        "supervisors": [{"kind": "tfidf", "voters": 2}],
        "student": {"kind": "probe", "model": model, "precision": "fp32"},
        "arms": ["naive", "majority", "filter"],
        "references": ["gold_only"],
        "seeds": 3,
        "metric": F1,
        "metrics": FURTHER,
    }


@pytest.fixture(scope="module")
def results(files: Path, tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("run")
    asked = {**settings(files, tiny_bert), "threshold": THRESHOLD}
    asked["arms"] = [*asked["arms"], "slice_balanced"]
    return study(asked, folder).results


def test_every_metric_has_floor_arms_ceiling_and_pgr_or_its_reason(results: Any) -> None:
    assert results["metric"] == "f1 of unsafe"
    names = ["accuracy", "over-refusal (unsafe)", "exact match of groups"]
    assert results["further_metrics"] == names
    for name in names:
        part = results["metrics"][name]
        assert part["weak"]["low"] <= part["weak"]["value"] <= part["weak"]["high"]
        assert part["ceiling"]["value"] is not None
        for arm in ("naive", "majority", "filter"):
            assert part["arms"][arm]["low"] is not None
            assert part["pgr"][arm] is not None or part["pgr_reason"]
    assert results["metrics"]["over-refusal (unsafe)"]["lower_is_better"]
    assert results["data"]["test_groups"] < 96 / 3  # groups of four rows, joined by equal texts


def test_each_test_set_scores_as_it_does_alone(
    files: Path, tiny_bert: str, results: Any, tmp_path: Path
) -> None:
    """Votes and students do not depend on what else is asked, so each set has its own numbers."""
    assert results["data"]["test_set"] == "own"
    assert results["data"]["test"] == 96
    other = results["test_sets"]["other"]
    assert other["rows"] == 60
    plain = settings(files, tiny_bert, test=str(files / "other.jsonl"))
    alone = study({**plain, "arms": [*plain["arms"], "slice_balanced"]}, tmp_path).results
    assert alone["arms"]["naive"]["score"] == other["metrics"]["f1 of unsafe"]["arms"]["naive"]
    assert alone["weak"] == other["metrics"]["f1 of unsafe"]["weak"]
    pairs = zip(alone["metrics"]["accuracy"]["arms"].items(), range(9), strict=False)
    for (name, span), _ in pairs:
        assert span == other["metrics"]["accuracy"]["arms"][name]
    assert alone["slices"] == other["slices"]


def test_slices_have_intervals_and_adjusted_p_but_for_small_ones(results: Any) -> None:
    parts = results["slices"]["metrics"]["accuracy"]
    assert list(parts) == ["kind 0", "kind 1", "kind 2", "rare"]
    rare = parts["rare"]
    assert rare["rows"] == 2
    assert rare["reason"].endswith("independent rows: fewer than 10 have no interval.")
    assert rare["arms"]["naive"]["value"] is not None
    assert rare["arms"]["naive"]["low"] is None
    large = parts["kind 1"]
    if large["reason"] is None:
        versus = large["arms"]["majority"]["vs_naive"]
        assert versus["p"] <= versus["p_holm"] <= 1
        assert "vs_naive" not in large["arms"]["random_keep"]  # a control makes no claim


def test_the_report_shows_them(results: Any) -> None:
    for page in (study_markdown(results), study_page(results)):
        assert "PGR by metric" in page
        assert "other (60 rows): over-refusal (unsafe)" in page
        assert "fewer than 10 have no interval" in page
        assert "Where the ceiling knows better" in page


def test_each_student_has_its_own_threshold_for_the_recall(results: Any) -> None:
    part = results["threshold"]
    assert part["recall"] == 0.9
    assert set(part["models"]) == {"ceiling", *results["arms"]}  # no reference: none is untrained
    for model in part["models"].values():
        assert model.keys() == {"thresholds", "metrics", "vs_usual"}
        assert len(model["thresholds"]) == 3
        assert all(0 <= threshold <= 1 for threshold in model["thresholds"])
        assert {"f1 of unsafe", "accuracy", "recall of unsafe"} <= set(model["metrics"])
        span = model["metrics"]["recall of unsafe"]
        assert span["low"] <= span["value"] <= span["high"]
        assert model["vs_usual"]["low"] <= model["vs_usual"]["high"]
    assert results["test_sets"]["other"]["threshold"]["models"]["naive"]["vs_usual"] is not None
    for page in (study_markdown(results), study_page(results)):
        assert "At a chosen threshold" in page
        assert "for a recall of at least 0.900" in page


def test_thresholds_are_those_of_weak_train_and_train_nothing_anew(
    files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    """Chosen anew from the answers to weak_train; another target makes no other student."""
    plain = {**settings(files, tiny_bert), "arms": ["naive"], "seeds": 2}
    found = study({**plain, "threshold": THRESHOLD}, tmp_path).results
    run = Run(make_study({**plain, "threshold": THRESHOLD}), Store(tmp_path / "store"))
    student = train_student(run, 1, "naive")
    known, classes = run.task(1).weak_train, run.source.classes
    assert student.on_weak_train is not None
    unsafe = student.on_weak_train.probs[:, classes.index("unsafe")]
    threshold = found["threshold"]["models"]["naive"]["thresholds"][1]
    actual = known.truth == classes.index("unsafe")
    assert (unsafe[actual] >= threshold).mean() >= 0.9
    larger = np.sort(np.unique(unsafe[unsafe > threshold]))
    assert (unsafe[actual] > larger[0]).mean() < 0.9  # the next one is too large
    before = {path.name for path in (tmp_path / "store").glob("student-*")}
    costs = {"of": "unsafe", "costs": {"unsafe": {"safe": 5}}}
    again = study({**plain, "threshold": costs}, tmp_path).results
    assert {path.name for path in (tmp_path / "store").glob("student-*")} == before
    assert "cost" in again["threshold"]["models"]["naive"]["metrics"]
    assert again["arms"] == found["arms"]


def test_without_a_threshold_nothing_is_asked_or_reported(
    files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    plain = {**settings(files, tiny_bert), "arms": ["naive"], "seeds": 1, "references": []}
    found = study(plain, tmp_path).results
    assert found["threshold"] is None
    assert "At a chosen threshold" not in study_markdown(found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": {"of": "bad", "recall": 0.9}}, "names the class 'bad', and the classes"),
        ({"threshold": {"of": "unsafe"}}, "give either `recall` or `costs`"),
    ],
)
def test_a_threshold_that_cannot_work_is_refused_before_training(
    changes: dict[str, Any], message: str, files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    with pytest.raises((ConfigError, InputError), match=message):
        study({**settings(files, tiny_bert), **changes}, tmp_path)
    assert not list((tmp_path / "store").glob("votes-*"))


def test_slices_of_train_balance_an_arm(files: Path, tiny_bert: str, tmp_path: Path) -> None:
    """Each label has the same weight in each kind of prompt."""
    asked = {**settings(files, tiny_bert), "arms": ["slice_balanced"], "seeds": 1}
    run = Run(make_study(asked), Store(tmp_path))
    selection = select_labels(run, 0, run.study.arm("slice_balanced"))[0]
    slices = run.task(0).strong_train.slices
    cells: dict[tuple[str, int], float] = {}
    for part, row, weight in zip(slices, selection.targets, selection.weights, strict=True):
        key = (part, int(row.argmax()))
        cells[key] = cells.get(key, 0.0) + weight
    assert len(cells) >= 6  # two labels in each of three kinds at least
    np.testing.assert_allclose(list(cells.values()), next(iter(cells.values())))


def test_deception_by_hand(files: Path, tiny_bert: str, tmp_path: Path) -> None:
    run = Run(make_study(settings(files, tiny_bert)), Store(tmp_path))
    scores = StudyScores(run)
    found = deception(scores)
    assert found is not None
    wrong, total = [], []
    from steelyard.studies.grading import ensemble_answers

    for i, seed in enumerate(scores.seeds):
        ceiling = scores.students["ceiling"][i].predictions.probs[scores.rows]
        student = scores.students["filter"][i].predictions.probs[scores.rows]
        majority: Any = ensemble_answers(run, seed)
        taught = majority[scores.rows]
        truth = scores.truth
        known = (ceiling.argmax(axis=1) == truth) & (ceiling.max(axis=1) >= 0.75)
        votes = np.where(taught[:, 0] == taught[:, 1], 0.5, taught.argmax(axis=1) != truth)
        missed = student.argmax(axis=1) != truth
        wrong.append((known * votes * missed).sum())
        total.append((known * votes).sum())
    assert found["rows"] == pytest.approx(np.mean(total))
    if min(total) > 0 and found["arms"]["filter"]["conflict"]:
        expected = np.mean(np.array(wrong) / np.array(total))
        assert found["arms"]["filter"]["conflict"]["value"] == pytest.approx(expected)


def test_a_metric_that_a_test_set_lacks_is_a_row_with_its_reason(
    files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    two = {"own": str(files / "test.jsonl"), "safe": str(files / "safe.jsonl")}
    plain = settings(files, tiny_bert, test=two, group=None)
    found = study({**plain, "metrics": ["accuracy"]}, tmp_path).results
    reason = found["test_sets"]["safe"]["metrics"]["f1 of unsafe"]["reason"]
    assert reason.startswith("`f1` is not defined here: no test row is of class 'unsafe'")
    assert found["test_sets"]["safe"]["metrics"]["accuracy"]["ceiling"]["value"] is not None
    assert reason[:40] in study_markdown(found).replace("\\", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": {"kind": "f1"}}, "of"),
        ({"metric": {"kind": "recall_at_fpr", "of": "unsafe", "fpr": 2}}, "fpr"),
        ({"metrics": ["acuracy"]}, "Did you mean `accuracy`"),
        ({"metrics": [F1]}, "names `f1 of unsafe` twice"),
        ({"metrics": ["slu_f1"]}, "scores slots"),
    ],
)
def test_a_metric_that_cannot_work_is_refused(
    changes: dict[str, Any], message: str, files: Path, tiny_bert: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        make_study({**settings(files, tiny_bert), **changes})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"kind": "f1", "of": "bad"}, "names the class 'bad', and the classes are 'safe'"),
        ({"kind": "group_exact_match"}, r"set `data\.group`"),
    ],
)
def test_a_main_metric_that_is_not_defined_is_refused_before_anything_is_trained(
    metric: dict[str, Any], message: str, files: Path, tiny_bert: str, tmp_path: Path
) -> None:
    plain = settings(files, tiny_bert, group=None)
    with pytest.raises(InputError, match=message):
        study({**plain, "metric": metric, "metrics": []}, tmp_path)
    assert not list((tmp_path / "store").glob("votes-*"))
