"""The table of a study, in the terminal and as rows."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from steelyard.report import terminal_table
from steelyard.report.tables import kept_share, reasons, summary_rows

Study = dict[str, Any]


def printed(results: Study) -> str:
    file = StringIO()
    Console(file=file, width=100, force_terminal=False).print(terminal_table(results))
    return file.getvalue()


def test_floor_comes_first_controls_are_apart_and_the_ceiling_is_last(results: Study) -> None:
    rows = summary_rows(results)
    assert [row.name for row in rows] == [
        "weak supervisors",
        "weak ensemble",
        "naive",
        "majority",
        "filter",
        "reweigh",
        "random_keep",
        "shuffled_weights",
        "truth_filter",
        "ceiling",
    ]
    roles = ["floor", "floor", "arm", "arm", "arm", "arm", "control", "control"]
    assert [row.role for row in rows] == [*roles, "oracle", "ceiling"]


def test_the_terminal_shows_score_gap_difference_and_labels(results: Study) -> None:
    line = next(line for line in printed(results).splitlines() if " filter" in line)
    expected = ["filter", "0.762 [0.742, 0.783]", "57 % [31, 85]", "+0.029 p=0.024", "50 %"]
    assert [text for text in expected if text not in line] == []
    assert line.split()[-1] == "0.842"


def test_the_terminal_table_fits_100_columns(results: Study) -> None:
    results["arms"]["filter"]["pgr"] = {"value": 3.5, "low": -7.0, "high": 12.0}
    results["arms"]["a" * 300] = results["arms"].pop("reweigh")
    text = printed(results)
    assert max(map(len, text.splitlines())) <= 100
    assert "350 % [-700, 1200]" in text


def test_no_pgr_is_na_in_the_terminal(results: Study) -> None:
    results["arms"]["filter"].update(pgr=None, pgr_reason="no gap")
    line = next(line for line in printed(results).splitlines() if " filter" in line)
    assert " n/a " in line


def test_rich_markup_and_escapes_in_a_name_are_only_text(results: Study) -> None:
    results["arms"]["[red]x\x1b[31m"] = results["arms"].pop("filter")
    assert "[red]x␛[31m" in printed(results)
    assert "\x1b" not in printed(results)


def test_arms_with_the_same_reason_are_told_once(results: Study) -> None:
    for name in ("filter", "reweigh"):
        results["arms"][name].update(pgr=None, pgr_reason="no gap")
    assert reasons(summary_rows(results)) == [("filter, reweigh", "no gap")]


@pytest.mark.parametrize(
    ("seed", "share"),
    [
        ({"rows": 3000, "kept": 0.5}, 0.5),
        ({"rows": 3000, "kept": 1500}, 0.5),
        ({"rows": 3000, "kept": 1.0}, 1.0),
        ({"rows": None, "kept": 1500}, None),
        ({"rows": 3000, "kept": None}, None),
        ({}, None),
    ],
)
def test_kept_is_a_share_whether_stored_as_share_or_number(
    seed: dict[str, Any], share: float | None
) -> None:
    assert kept_share(seed) == share


def test_means_over_seeds_leave_out_what_is_undefined(results: Study) -> None:
    seeds = results["arms"]["filter"]["seeds"]
    seeds[0]["label_accuracy"] = None
    for seed in seeds[1:]:
        seed["label_accuracy"] = 0.8
    row = next(row for row in summary_rows(results) if row.name == "filter")
    assert row.label_accuracy == pytest.approx(0.8, abs=1e-12)
