"""Scores and PGR against the size of the student, a line for each weak supervisor."""

import math
from dataclasses import dataclass

from steelyard.report.charts import BROAD, NARROW, Figure, Point, Ticks, series_of
from steelyard.report.formats import Results, defined, plain
from steelyard.report.score_figures import ends_of, line_chart

UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, ""))


@dataclass(frozen=True)
class Measure:
    """A number of an arm in grid.json that a figure shows."""

    key: str
    title: str
    factor: float  # from the file to the figure


GAPS = Measure("pgr", "gap recovered, %", 100.0)
SCORES = Measure("score", "score", 1.0)


def main_arms(results: Results) -> list[str]:
    """Names of the arms that are neither controls nor oracles, in the order of the pairs."""
    return list(
        dict.fromkeys(
            name
            for pair in results["pairs"]
            for name, arm in pair["arms"].items()
            if arm["role"] == "arm"
        )
    )


def grid_figure(results: Results, arm: str, what: Measure) -> Figure | None:
    """One arm by the student's size; None where no weak supervisor has it with two students."""
    places, title = _places(results)
    curves: dict[str, list[Point]] = {plain(entry["name"]): [] for entry in results["weak"]}
    for pair in results["pairs"]:
        span = (pair["arms"].get(arm) or {}).get(what.key) or {}
        value = defined(span.get("value"))
        if value is not None:
            curves[plain(pair["weak"])].append((places[pair["student"]][0], what.factor * value))
    series = series_of({name: sorted(c) for name, c in curves.items() if len(c) > 1})
    if not series:
        return None
    shown = plain(results["metric"]) if what is SCORES else what.title
    caption = f"{plain(arm)}: {shown} against the student's size, a line for each weak supervisor."
    ticks: Ticks = list(places.values())
    last = max(x for x, _ in ticks)
    label = f"{caption} {ends_of(series)}"
    narrow, broad = (
        line_chart(series, width, (title, shown), label, last=last, ticks=list(ticks))
        for width in (NARROW, BROAD)
    )
    return Figure(f"{what.key}-{arm}", caption, narrow, broad, tuple(series))


def _places(results: Results) -> tuple[dict[str, tuple[float, str]], str]:
    """Place and label of each student on the horizontal axis, and the title of that axis.

    By the logarithm of the parameters where all are known and differ, otherwise by their order.
    """
    names = [student["name"] for student in results["students"]]
    sizes = [student["parameters"] for student in results["students"]]
    if None in sizes or len(set(sizes)) < len(sizes):
        return {name: (float(i), plain(name)) for i, name in enumerate(names)}, "student"
    least = math.log(min(sizes))
    places = {
        name: (math.log(size) - least, short_count(size))
        for name, size in zip(names, sizes, strict=True)
    }
    return places, "parameters of the student (logarithmic)"


def short_count(number: float) -> str:
    """A number with two or three digits.

    >>> short_count(22_713_216), short_count(7_241_732_096), short_count(950)
    ('23 M', '7.2 B', '950')
    """
    unit, letter = next((u, letter) for u, letter in UNITS if number >= u or u == 1.0)
    value = number / unit
    return f"{value:.1f} {letter}" if value < 10 and letter else f"{value:.0f} {letter}".rstrip()
