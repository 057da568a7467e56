"""An arm is recommended without the truth of strong_train and test."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import steelyard as sy
from steelyard.cli.terminal import print_results
from steelyard.data import generate
from steelyard.evaluation.expected_gains import ExpectedGains
from steelyard.report.recommendation import (
    ADVICE,
    recommendation_reasons,
    recommendation_sentence,
)
from steelyard.store.store import Store
from steelyard.studies.config import RECOMMENDED_ARMS, make_study
from steelyard.studies.pilot import pilot_run, pilot_scores
from steelyard.studies.results.recommended import choose, past_gains
from steelyard.studies.run import Run

SETTINGS: dict[str, Any] = {
    "task": "classification",
    "data": {"weak_train": 40, "strong_train": 60, "stratify": False},
    "supervisors": [{"kind": "tfidf", "voters": 3}],
    "student": {
        **{"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 32},
        "regularization": 1.0,
    },
    "arms": ["majority", "filter", "refine_gold"],
    "seeds": 1,
    "recommend": True,
}


def study(folder: Path, labels: dict[str, str] | None = None, **changes: Any) -> Any:
    """A study on files, some of whose labels are replaced."""
    classes, rows = generate(160, 0)
    folder.mkdir()
    for name, part in (("train", rows[:100]), ("test", rows[100:])):
        lines = [
            json.dumps({"id": text, "text": text, "label": (labels or {}).get(text, classes[k])})
            for text, k in part
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    files = {name: str(folder / f"{name}.jsonl") for name in ("train", "test")}
    settings = {**SETTINGS, **changes}
    settings["data"] = {**settings["data"], **files}
    return settings


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("run")
    settings = study(folder / "data")
    return sy.study(settings, folder / "out", workers=1).results, folder


def test_every_arm_is_tried_on_every_labelled_row(found: tuple[dict[str, Any], Path]) -> None:
    advice = found[0]["recommendation"]
    assert advice["rows"] == 40
    wanted = {"naive", "majority", "filter", "refine_gold", "gold_only", "gold_and_weak"}
    assert set(advice["candidates"]) == wanted
    assert advice["arm"] in wanted
    assert advice["candidates"]["majority"]["gain"] is None
    assert sum(row["best"] for row in advice["candidates"].values()) == pytest.approx(1)
    settings = make_study(study(found[1] / "again"))
    tried = pilot_scores(pilot_run(Run(settings, Store(found[1] / "out" / "store"))))
    assert tried.rows == 40
    by_name = dict(zip(tried.arms, tried.scores, strict=True))
    assert advice["candidates"]["filter"]["tried"] == pytest.approx(by_name["filter"])


def test_its_keys_are_documented(found: tuple[dict[str, Any], Path]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    advice = found[0]["recommendation"]
    entry = next(iter(advice["candidates"].values()))
    keys = [*(set(advice) - {"candidates"}), *(f"candidates.NAME.{key}" for key in entry)]
    for key in keys:
        assert f"`recommendation.{key}`" in page


def test_no_other_truth_has_a_part_in_it(found: tuple[dict[str, Any], Path]) -> None:
    """Other labels outside weak_train, the same recommendation."""
    results, folder = found
    task = Run(make_study(study(folder / "first")), Store(folder / "none")).task(0)
    classes, rng = task.classes, np.random.default_rng(1)
    hidden = [q.text for part in (task.strong_train, task.test) for q in part.questions]
    labels = {text: classes[int(rng.integers(len(classes)))] for text in hidden}
    settings = study(folder / "second", labels)
    other = sy.study(settings, folder / "out-2", workers=1).results
    assert other["recommendation"] == results["recommendation"]
    assert other["ceiling"]["value"] != results["ceiling"]["value"]


def test_the_headline_is_the_recommendation(
    found: tuple[dict[str, Any], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    results, folder = found
    print_results(results)
    printed = " ".join(capsys.readouterr().out.split())
    assert recommendation_sentence(results) in printed
    assert recommendation_reasons(results) in printed
    report = (folder / "out" / "report.md").read_text()
    assert "Recommended, without the truth of strong_train or test: " in report
    assert "## Recommendation" in report
    arm = results["recommendation"]["arm"]
    assert ADVICE.get(arm, f"choose `{arm}`") in recommendation_sentence(results)
    assert "On the 40 labelled rows of weak_train, each held out once" in recommendation_reasons(
        results
    )


def test_without_labelled_rows_the_past_alone_speaks(tmp_path: Path) -> None:
    settings = study(tmp_path / "data", arms=["majority"])
    settings["data"]["weak_train"] = 12
    results = sy.study(settings, tmp_path / "out", workers=1).results
    advice = results["recommendation"]
    assert advice["reason"].startswith("weak_train has 12 rows")
    assert "weak_train has 12 rows" in (tmp_path / "out" / "report.md").read_text().replace(
        "\\", ""
    )


def test_arms_recommend_is_short() -> None:
    settings = make_study({**SETTINGS, "data": {"generated": "errands"}, "arms": "recommend"})
    assert settings.recommend
    assert settings.arms == RECOMMENDED_ARMS


def test_a_simple_way_goes_before_one_that_is_hardly_better() -> None:
    gains = ExpectedGains(("gold_only", "refine"), np.array([-0.1, 0.004]), np.eye(2))
    assert choose(gains, gains.arms) == "majority"
    gains = ExpectedGains(("gold_only", "refine"), np.array([0.1, 0.104]), np.eye(2))
    assert choose(gains, gains.arms) == "gold_only"
    gains = ExpectedGains(("gold_only", "refine"), np.array([0.1, 0.12]), np.eye(2))
    assert choose(gains, gains.arms) == "refine"


def test_past_gains_can_leave_a_set_aside() -> None:
    past = past_gains("")
    assert len(past.sets) == len(past.gains)
    for name in past.sets:
        assert name not in past_gains(name).sets
