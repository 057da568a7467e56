"""Figures: the same bytes every time, readable on light and dark, safe next to one another."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from steelyard.report.charts import PALETTE
from steelyard.report.study_figures import study_figures

Study = dict[str, Any]


def test_all_five_figures_are_drawn(results: Study) -> None:
    assert list(study_figures(results)) == ["scores", "gaps", "calibration", "risk", "curves"]


def test_the_same_results_give_the_same_bytes(results: Study) -> None:
    assert study_figures(results) == study_figures(results)


def svgs(results: Study) -> dict[str, list[str]]:
    """The narrow and, where there is one, the broad SVG of each figure."""
    figures = study_figures(results)
    return {
        name: [svg for svg in (figure.narrow, figure.broad) if svg]
        for name, figure in figures.items()
    }


def test_figures_may_stand_side_by_side(results: Study) -> None:
    every = "".join(svg for pair in svgs(results).values() for svg in pair)
    assert not re.findall(r'\bid="|href=|url\(', every)


def test_every_svg_is_well_formed(results: Study) -> None:
    for pair in svgs(results).values():
        for svg in pair:
            ElementTree.fromstring(svg)


def test_figures_follow_the_page_and_describe_what_they_show(results: Study) -> None:
    for pair in svgs(results).values():
        for svg in pair:
            assert "currentColor" in svg
            assert "font-family" not in svg
            assert "<style" not in svg
            assert "http" not in svg
            assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) <= set(PALETTE)
            assert re.match(r'<svg viewBox="[^"]+" role="img" aria-label="[^"]+"', svg)
            assert "<title>" in svg
    assert all("filter 0.762 [0.742, 0.783]" in svg for svg in svgs(results)["scores"])


def test_forest_plots_and_curves_are_drawn_for_narrow_and_broad_pages(results: Study) -> None:
    for name in ("scores", "gaps", "calibration", "curves"):
        narrow, broad = svgs(results)[name]
        assert narrow.startswith('<svg viewBox="0 0 360 ')
        assert broad.startswith('<svg viewBox="0 0 840 ')


def test_nothing_is_drawn_outside_a_figure(results: Study) -> None:
    for pair in svgs(results).values():
        for svg in pair:
            root = ElementTree.fromstring(svg)
            width, height = map(float, root.attrib["viewBox"].split()[2:])
            for element in root.iter():
                for key, most in (("x", width), ("x1", width), ("x2", width), ("cx", width)):
                    assert 0 <= float(element.get(key, 0)) <= most
                for key, most in (("y", height), ("y1", height), ("y2", height), ("cy", height)):
                    assert 0 <= float(element.get(key, 0)) <= most


def test_a_score_lies_between_floor_and_ceiling_at_its_share_of_the_way(results: Study) -> None:
    """naive: (0.733 - 0.62) / (0.87 - 0.62) = 0.452 of the way from floor to ceiling."""
    root = ElementTree.fromstring(svgs(results)["scores"][1])
    guides = [
        float(row.attrib["x1"])
        for row in root.findall("line")
        if row.get("stroke-dasharray") == "4 3"
    ]
    arms = [float(row.attrib["cx"]) for row in root.findall("circle") if row.get("r") == "4.0"]
    assert (arms[0] - guides[0]) / (guides[1] - guides[0]) == pytest.approx(0.452, abs=0.002)


def test_an_interval_beyond_the_figure_ends_in_an_arrow(results: Study) -> None:
    before = svgs(results)["gaps"][1].count("<polygon")
    results["arms"]["filter"]["pgr"] = {"value": 0.5, "low": -4.0, "high": 9.0}
    assert svgs(results)["gaps"][1].count("<polygon") == before + 2


def test_equal_risk_curves_share_one_line_and_both_names(results: Study) -> None:
    methods = results["reliability"]
    methods["entropy"]["risk_coverage"] = methods["majority"]["risk_coverage"]
    risk = study_figures(results)["risk"]
    assert risk.narrow.count("<polyline") == 2
    assert [line.label for line in risk.legend] == ["majority = entropy", "dawid_skene"]


def test_an_arm_without_pgr_is_listed_as_na(results: Study) -> None:
    results["arms"]["filter"]["pgr"] = None
    for svg in svgs(results)["gaps"]:
        assert ">n/a</text>" in svg
        assert ">filter</text>" in svg


def test_there_is_no_forest_plot_without_pgr(results: Study) -> None:
    for arm in results["arms"].values():
        arm["pgr"] = None
    assert "gaps" not in study_figures(results)


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
    every = study_figures(results)
    assert len(every) == 5
    assert "<b>" not in "".join(figure.narrow + figure.broad for figure in every.values())


def test_a_long_curve_is_thinned(results: Study) -> None:
    steps = list(range(100_000))
    results["curves"] = {"naive": {"step": steps, "loss": [(-1.0) ** step for step in steps]}}
    assert len(study_figures(results)["curves"].broad) < 10_000
