"""Tables about metrics, test sets and slices, from results alone."""

from typing import Any

from steelyard.report.task_tables import (
    deception_grid,
    deception_sentence,
    pgr_by_metric_grid,
    pgr_reasons,
    slice_grids,
)
from steelyard.report.task_tables import (
    test_set_grids as grids_of_test_sets,
)


def span(value: float, half: float = 0.1) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def results(**changes: Any) -> dict[str, Any]:
    arms = {"naive": {"role": "arm", "pgr": span(0.3)}, "oracle": {"role": "oracle", "pgr": None}}
    metrics = {
        "recall": {"pgr": {"naive": span(0.9)}, "pgr_reason": None},
        "cost": {"reason": "no row of a class"},
        "accuracy": {"pgr": {"naive": span(0.35)}},
    }
    plain = {
        "metric": "f1",
        "arms": arms,
        "metrics": metrics,
        "further_metrics": ["recall", "cost"],
    }
    return {**plain, **changes}


def test_pgr_by_metric_names_those_that_disagree() -> None:
    grid = pgr_by_metric_grid(results())
    assert grid is not None
    assert grid.header == ("arm", "f1", "recall", "cost", "accuracy", "disagrees with the first")
    row = ("naive", "30 % [20, 40]", "90 % [80, 100]", "n/a", "35 % [25, 45]", "recall")
    assert grid.rows == (row,)  # [.2, .4] and [.8, 1.0] have no point in common; an oracle is none
    assert pgr_reasons(results()) == ["cost: no row of a class"]
    assert pgr_by_metric_grid(results(further_metrics=[])) is None


def test_a_test_set_without_a_metric_says_why() -> None:
    part = {"weak": span(0.5), "arms": {"naive": span(0.6)}, "ceiling": span(0.7), "pgr": {}}
    sets = {"other": {"rows": 9, "metrics": {"f1": {"reason": "no row"}, "accuracy": part}}}
    grids = grids_of_test_sets({"test_sets": sets})
    assert grids["other (9 rows): f1"].rows == (("not defined", "no row", ""),)
    assert [row[0] for row in grids["other (9 rows): accuracy"].rows] == [
        "weak supervisors",
        "naive",
        "ceiling",
    ]


def test_a_small_slice_has_values_and_says_so() -> None:
    value = {"value": 0.5, "low": None, "high": None}
    few = {"rows": 2, "reason": "2 independent rows", "weak": value, "ceiling": value}
    metrics = {"accuracy": {"rare": {**few, "arms": {"naive": value}}}}
    grids = slice_grids({"slices": {"hidden": 0, "metrics": metrics}})
    assert grids["accuracy"].rows == (
        ("rare", "2 independent rows", "2", "", ""),
        ("rare", "weak supervisors", "2", "0.500", ""),
        ("rare", "naive", "2", "0.500", ""),
        ("rare", "ceiling", "2", "0.500", ""),
    )


def test_files_of_older_versions_have_none_of_them() -> None:
    assert (pgr_by_metric_grid({}), slice_grids({}), grids_of_test_sets({})) == (None, {}, {})
    assert (deception_grid({}), deception_sentence({})) == (None, "")
