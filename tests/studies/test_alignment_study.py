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
from steelyard.studies.study import study

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
    return study(settings(files, tiny_bert), folder).results


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
    alone = study(settings(files, tiny_bert, test=str(files / "other.jsonl")), tmp_path).results
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
