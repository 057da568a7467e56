"""Runs compared: over data sets by hand, two versions paired by seed and row, refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelyard.errors import InputError
from steelyard.studies.compare_datasets import compare_datasets
from steelyard.studies.compare_versions import compare_versions
from steelyard.studies.predictions_file import (
    PREDICTIONS,
    Predicted,
    PredictionTable,
    read_predictions,
    write_predictions,
)


def run(name: str, difference: float, error: float = 0.01, metric: str = "accuracy") -> Any:
    versus = {
        **{"difference": difference, "low": difference - 0.02, "high": difference + 0.02},
        **{"p": 0.1, "error": error},
        "pgr": {"value": 4 * difference, "low": 0.0, "high": 0.2, "error": 4 * error},
    }
    arms = {
        "naive": {"role": "arm", "vs_naive": None, "score": {"value": 0.7}},
        "filter": {"role": "arm", "vs_naive": versus, "pgr_reason": None},
        "random_keep": {"role": "control", "vs_naive": versus},
    }
    data = {"name": name, "test_rows": f"rows of {name}"}
    shared = {"seeds": [0, 1, 2], "ceiling": {}, "artifacts": {}}
    return {"study": name, "metric": metric, "data": data, "arms": arms, **shared}


def test_the_mean_of_two_data_sets_by_hand() -> None:
    (row,) = compare_datasets([run("a", 0.05), run("b", 0.05)])
    # 5 points each with error 1: mean 5, error 1 / sqrt(2), t of one degree of freedom 12.7062
    assert row.arm == "filter"
    assert row.summary is not None
    assert row.summary.mean.value == pytest.approx(5.0)
    assert row.summary.mean.high == pytest.approx(5.0 + 8.98464, abs=1e-4)
    assert row.p_holm == row.summary.p
    (share,) = compare_datasets([run("a", 0.05), run("b", 0.05)], unit="pgr")
    assert share.effects[0].value == pytest.approx(0.2)


def test_another_metric_is_skipped_with_its_reason() -> None:
    runs = [run("a", 0.05), run("b", 0.04), run("c", 0.2, metric="macro_f1")]
    (row,) = compare_datasets(runs)
    assert [effect.study for effect in row.effects] == ["a", "b"]
    assert row.skipped[0][0] == "c"
    assert "its metric is macro_f1" in row.skipped[0][1]
    assert len(compare_datasets(runs, unit="pgr")[0].effects) == 3


def test_lower_is_better_turns_the_sign() -> None:
    runs = [{**run(name, -0.03), "lower_is_better": True} for name in "ab"]
    assert compare_datasets(runs)[0].effects[0].value == pytest.approx(3.0)


def test_one_data_set_twice_and_missing_comparisons_are_refused() -> None:
    with pytest.raises(InputError, match="of one data set, 'a'"):
        compare_datasets([run("a", 0.1), run("b", 0.1), run("a", 0.2)])
    with pytest.raises(InputError, match="cannot be compared with `gold_only`"):
        compare_datasets([run("a", 0.1), run("b", 0.1)], "gold_only")


def test_an_older_run_has_its_error_from_the_interval() -> None:
    runs = [run("a", 0.05), run("b", 0.05)]
    del runs[0]["arms"]["filter"]["vs_naive"]["error"]
    effect = compare_datasets(runs)[0].effects[0]
    assert effect.error == pytest.approx(100 * 0.02 / 1.959964, abs=1e-4)
    assert effect.note == "standard error from the interval"


def table(right: np.ndarray, ids: tuple[str, ...] | None = None) -> PredictionTable:
    """Answers of one arm in S seeds: `right` is (S, N)."""
    size = right.shape[1]
    names = ids or tuple(f"q{i}" for i in range(size))
    truth = tuple("yes" if i % 2 else "no" for i in range(size))
    students = []
    for seed, row in enumerate(right):
        labels = np.where(row, np.arange(size) % 2, 1 - np.arange(size) % 2)
        probs = np.where(np.arange(2) == labels[:, None], 0.8, 0.2)
        answers = tuple(("no", "yes")[k] for k in labels)
        students.append(Predicted("filter", seed, answers, row.astype(np.float64), probs))
    return PredictionTable(names, truth, ("no", "yes"), tuple(students))


def test_two_versions_are_paired_by_seed_and_row(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first = rng.random((3, 200)) < 0.6
    better = first | (rng.random((3, 200)) < 0.25)
    for name, right in (("a", first), ("b", better)):
        write_predictions(table(right), tmp_path / name)
    stored = [read_predictions(tmp_path / name) for name in "ab"]
    (row,), skipped = compare_versions(stored[0], stored[1], "accuracy")
    assert row.difference.difference == pytest.approx(better.mean() - first.mean())
    assert row.difference.low > 0
    assert row.p_holm == row.difference.p < 0.001
    assert skipped == []
    order = tuple(reversed(stored[1].ids))
    shuffled = table(better[:, ::-1], order)
    same_truth = PredictionTable(
        order, tuple(reversed(stored[1].truth)), stored[1].classes, shuffled.students
    )
    with pytest.raises(InputError, match="same true answers"):
        compare_versions(stored[0], shuffled, "accuracy")
    assert same_truth.ids != stored[0].ids


def test_other_test_rows_are_refused() -> None:
    right = np.ones((3, 4), dtype=bool)
    with pytest.raises(InputError, match="3 of 4 and 4 are the same"):
        compare_versions(table(right), table(right, ("q0", "q1", "q2", "x")), "accuracy")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS).write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="is damaged"):
        read_predictions(tmp_path / PREDICTIONS)
    with pytest.raises(InputError, match="run the study again"):
        read_predictions(tmp_path / "none.csv")


def test_the_command_prints_both_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from steelyard.cli.main import run as main

    for name, difference in (("a", 0.05), ("b", 0.03)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(run(name, difference)))
    arguments = ["steelyard", "compare", str(tmp_path / "a"), str(tmp_path / "b")]
    monkeypatch.setattr("sys.argv", [*arguments, "--out", str(tmp_path / "out.json")])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code
    printed = capsys.readouterr().out
    assert "each arm less naive, points of the score, 2 data sets" in printed
    assert "+4.0 [" in printed
    assert json.loads((tmp_path / "out.json").read_text())[0]["arm"] == "filter"
    monkeypatch.setattr("sys.argv", arguments[:3])
    with pytest.raises(SystemExit):
        main()
    assert "at least two runs" in capsys.readouterr().err
