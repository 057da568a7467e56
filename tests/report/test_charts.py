"""Charts by hand: scales, ticks, strokes, and text that fits."""

from itertools import pairwise

import pytest

from report_colours import contrast
from steelyard.report.charts import (
    DASHES,
    MOST_POINTS,
    PALETTE,
    Axes,
    Scale,
    Series,
    nice_ticks,
    series_of,
    text,
    thinned,
)
from steelyard.report.formats import shortened


@pytest.mark.parametrize("paper", ["#fdfdfc", "#15171b"])
@pytest.mark.parametrize("colour", PALETTE)
def test_every_colour_is_seen_on_light_and_dark(colour: str, paper: str) -> None:
    assert contrast(colour, paper) >= 3.0


def test_a_linear_scale_maps_its_ends_and_its_middle() -> None:
    scale = Scale(0.5, 1.0, 100, 300)
    assert [scale(value) for value in (0.5, 0.75, 1.0)] == [100, 200, 300]


def test_the_vertical_axis_grows_upwards() -> None:
    assert Scale(0, 4, 210, 10)(1) == 160  # 210 - 200 / 4


def test_a_logarithmic_scale_gives_each_decade_the_same_length() -> None:
    scale = Scale(1, 1000, 0, 300, is_log=True)
    assert [scale(value) for value in (1, 10, 100, 1000)] == [0, 100, 200, 300]


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.1, 0.32, ["-0.1", "0.0", "0.1", "0.2", "0.3"]),
        (-8.0, 108.0, ["0", "20", "40", "60", "80", "100"]),
        (0.0, 282.0, ["0", "50", "100", "150", "200", "250"]),
        (0.8, 0.8004, ["0.8000", "0.8001", "0.8002", "0.8003", "0.8004"]),
        (0.0, 100_000.0, ["0", "20,000", "40,000", "60,000", "80,000", "100,000"]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(
    low: float, high: float, labels: list[str]
) -> None:
    assert [label for _, label in nice_ticks(low, high)] == labels


def test_a_quarter_has_two_digits() -> None:
    assert [label for _, label in nice_ticks(0, 1, 5)] == ["0.00", "0.25", "0.50", "0.75", "1.00"]


def test_curves_that_look_equal_become_one_line_with_both_names() -> None:
    curve = [(0.1, 0.2), (1.0, 0.3)]
    near = [(0.1, 0.2 + 0.0014), (1.0, 0.3)]  # 0.5 % of 0.3 is 0.0015
    series = series_of({"share": curve, "other": [(0.1, 0.0), (1.0, 0.3)], "entropy": near})
    assert [row.names for row in series] == [("share", "entropy"), ("other",)]
    assert series[0].label == "share = entropy"


def test_curves_that_look_different_have_two_lines() -> None:
    curve, other = [(0.1, 0.2), (1.0, 0.3)], [(0.1, 0.2 + 0.0016), (1.0, 0.3)]
    assert len(series_of({"share": curve, "entropy": other})) == 2
    assert len(series_of({"share": curve, "short": curve[1:]})) == 2


def test_every_line_has_a_stroke_of_its_own() -> None:
    count = len(PALETTE) * len(DASHES)
    series = series_of({f"arm-{i}": [(0.0, float(i))] for i in range(count)})
    assert len({(row.colour, row.dash) for row in series}) == count
    assert all(a.dash != b.dash for a, b in pairwise(series))


def test_curves_without_points_are_omitted() -> None:
    assert series_of({"empty": []}) == []


def test_thinning_keeps_both_ends() -> None:
    points = [(float(i), 0.0) for i in range(1000)]
    kept = thinned(points)
    assert len(kept) == MOST_POINTS
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert thinned(points[:5]) == points[:5]


def test_a_line_goes_through_its_points() -> None:
    axes = Axes(Scale(0, 1, 50, 150), Scale(0, 1, 100, 0))
    svg = axes.polyline(Series(("a",), ((0.0, 0.0), (0.5, 0.25)), PALETTE[0], "2 4"))
    assert 'points="50,100 100,75"' in svg
    assert 'stroke-dasharray="2 4"' in svg


def test_long_and_wide_text_is_shortened_to_its_width() -> None:
    assert shortened("filter", 24) == "filter"
    assert shortened("a" * 30, 10) == "a" * 9 + "…"
    assert shortened("中" * 30, 10) == "中" * 4 + "…"  # 4 x 2 + 1 = 9 columns


def test_text_from_data_is_escaped() -> None:
    assert (
        text((1, 2), "<b>&", "end") == '<text x="1" y="2" text-anchor="end">&lt;b&gt;&amp;</text>'
    )
