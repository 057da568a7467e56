"""Figures: the same bytes every time, readable on light and dark, safe next to one another."""

import re
from typing import Any

import pytest

from steelyard.report.figures import drawings
from steelyard.report.svg import INK, PALETTE

Study = dict[str, Any]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("paper", ["#fdfdfc", "#15171b"])
@pytest.mark.parametrize("colour", PALETTE)
def test_every_colour_is_seen_on_light_and_dark(colour: str, paper: str) -> None:
    assert contrast(colour, paper) >= 3.0


def test_all_five_figures_are_drawn(results: Study) -> None:
    assert list(drawings(results)) == ["scores", "gaps", "calibration", "risk", "curves"]


def test_the_same_results_give_the_same_bytes(results: Study) -> None:
    assert drawings(results) == drawings(results)


def test_ids_do_not_clash_and_references_are_found(results: Study) -> None:
    every = "".join(drawing.svg for drawing in drawings(results).values())
    ids = re.findall(r'\bid="([^"]+)"', every)
    assert len(ids) == len(set(ids))
    used = re.findall(r'href="#([^"]+)"', every) + re.findall(r"url\(#([^)]+)\)", every)
    assert used
    assert set(used) <= set(ids)


def test_figures_follow_the_page_and_tell_what_they_show(results: Study) -> None:
    for drawing in drawings(results).values():
        assert INK not in drawing.svg
        assert "currentColor" in drawing.svg
        assert "DejaVu" not in drawing.svg
        assert "<style" not in drawing.svg
        assert "<metadata" not in drawing.svg
        assert "http" not in drawing.svg
        assert re.match(r'<svg viewBox="[^"]+" role="img" aria-label="[^"]+"', drawing.svg)
        assert "<title>" in drawing.svg
    assert "filter 0.762 [0.742, 0.783]" in drawings(results)["scores"].svg


def test_an_arm_without_pgr_is_listed_as_na(results: Study) -> None:
    results["arms"]["filter"]["pgr"] = None
    svg = drawings(results)["gaps"].svg
    assert ">n/a</text>" in svg
    assert ">filter</text>" in svg


def test_there_is_no_forest_plot_without_pgr(results: Study) -> None:
    for arm in results["arms"].values():
        arm["pgr"] = None
    assert "gaps" not in drawings(results)


def test_null_numbers_and_odd_names_can_be_drawn(results: Study) -> None:
    odd = "_$x^2$ <b>&\x1b[31m 中\ud800 fill: #0a0b0c"
    arms, methods, curves = (results[key] for key in ("arms", "reliability", "curves"))
    arms[odd] = arms.pop("filter")
    arms["majority"]["score"] = {"value": 0.7, "low": None, "high": None}
    arms["reweigh"]["score"] = {"value": None, "low": None, "high": None}
    arms["naive"]["pgr"] = {"value": -4.0, "low": None, "high": 9.0}
    methods[odd] = methods.pop("majority")
    methods["entropy"]["bins"][0].update(accuracy=None, share=None)
    methods["entropy"]["risk_coverage"] = [[0.1, None], [1.0, 0.3]]
    curves[odd] = curves.pop("filter")
    curves["naive"]["loss"][2] = None
    every = drawings(results)
    assert len(every) == 5
    assert "<b>" not in "".join(drawing.svg for drawing in every.values())


def test_a_long_curve_is_thinned(results: Study) -> None:
    steps = list(range(100_000))
    results["curves"] = {"naive": {"step": steps, "loss": [(-1.0) ** step for step in steps]}}
    assert len(drawings(results)["curves"].svg) < 40_000
