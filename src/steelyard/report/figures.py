"""The figures of the report: functions of the results, None where there is nothing to show."""

import math
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.report.formats import (
    Results,
    defined,
    interval,
    percent_interval,
    plain,
    shortened,
)
from steelyard.report.svg import BLUE, GREY, INK, PALETTE, PINK, render
from steelyard.report.tables import Row, summary_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.4  # inches
COLOURS = {"floor": INK, "arm": BLUE, "control": GREY, "oracle": PINK, "ceiling": INK}
MARKERS = {"floor": "|", "arm": "o", "control": "s", "oracle": "D", "ceiling": "|"}
DASHES = ("-", "--", "-.", ":")
MOST_POINTS = 300  # of a curve; more is not seen at this width


@dataclass(frozen=True)
class Drawing:
    """A figure on the page."""

    name: str
    caption: str
    svg: str


def drawings(results: Results) -> dict[str, Drawing]:
    """Every figure that the results allow, by name."""
    made = (scores, gaps, calibration, risk_coverage, learning_curves)
    found = (draw(results) for draw in made)
    return {drawing.name: drawing for drawing in found if drawing is not None}


def scores(results: Results) -> Drawing | None:
    """Each row's score and interval between floor and ceiling; small dots are seeds."""
    rows = [row for row in summary_rows(results) if _span(row.score)]
    if not rows:
        return None
    metric = plain(results.get("metric") or "score")

    def paint(figure: "Figure") -> None:
        axes = _lines(figure, [row.name for row in rows])
        for key in ("weak", "ceiling"):
            _band(axes, results.get(key))
        for y, row in enumerate(rows):
            _dot(axes, y, row.score, row.role)
            if len(row.seed_scores) > 1:
                x = row.seed_scores
                axes.plot(x, [y + 0.24] * len(x), ".", color=COLOURS[row.role], ms=3, alpha=0.7)
            _value_at_right(axes, y, interval(row.score))
        axes.set_xlabel(shortened(metric, 60))

    told = "; ".join(f"{row.name} {interval(row.score)}" for row in rows)
    caption = (
        f"Score ({metric}) with 95 % intervals. Small dots are seeds; the shaded bands are "
        "floor and ceiling."
    )
    return _drawing("scores", caption, f"Scores: {told}", _height(rows), paint)


def gaps(results: Results) -> Drawing | None:
    """Forest plot of PGR; None where no arm has any."""
    rows = [row for row in summary_rows(results) if row.is_arm]
    spans = [span for row in rows if (span := _span(row.pgr))]
    if not spans:
        return None
    low = max(-1.0, min(0.0, *(span[1] for span in spans)) - 0.08)
    high = min(2.0, max(1.0, *(span[2] for span in spans)) + 0.08)

    def paint(figure: "Figure") -> None:
        axes = _lines(figure, [row.name for row in rows])
        axes.set_xlim(100 * low, 100 * high)
        for x in (0, 100):
            axes.axvline(x, color=INK, lw=0.8, ls="--", alpha=0.6, zorder=0)
        for y, row in enumerate(rows):
            _forest_row(axes, y, row, 100 * low, 100 * high)
            _value_at_right(axes, y, percent_interval(row.pgr))
        axes.set_xlabel("performance gap recovered, %")

    told = "; ".join(f"{row.name} {percent_interval(row.pgr)}" for row in rows)
    caption = (
        "Performance gap recovered with 95 % intervals. 0 % is the floor, 100 % the ceiling; an "
        "arrow is an interval that goes on beyond the figure."
    )
    return _drawing("gaps", caption, f"Gap recovered: {told}", _height(rows), paint)


def calibration(results: Results) -> Drawing | None:
    """Share of right labels by bin of the reliability score, one panel for each method."""
    methods = {
        plain(name): bins
        for name, part in (results.get("reliability") or {}).items()
        if (bins := [b for b in part.get("bins") or () if defined(b.get("accuracy")) is not None])
    }
    if not methods:
        return None
    columns = min(3, len(methods))
    lines = math.ceil(len(methods) / columns)

    def paint(figure: "Figure") -> None:
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).flat
        panels = list(grid)
        for axes, (name, bins), colour in zip(
            panels, methods.items(), cycle(PALETTE), strict=False
        ):
            _calibration_panel(axes, name, bins, colour)
        for axes in panels[len(methods) :]:
            axes.set_visible(False)
        figure.supxlabel("reliability score", fontsize=9)
        figure.supylabel("labels right", fontsize=9)

    caption = (
        "Share of right labels by reliability score. A dot's area is the share of questions in "
        "the bin; on the dashed line the score means what it says."
    )
    label = f"Labels right by reliability score, for {', '.join(methods)}"
    return _drawing("calibration", caption, label, 0.5 + 2.3 * lines, paint)


def risk_coverage(results: Results) -> Drawing | None:
    """Share of wrong labels among the most reliable ones, by how many are kept."""
    curves = {
        plain(name): points
        for name, part in (results.get("reliability") or {}).items()
        if (points := part.get("risk_coverage"))
    }
    if not curves:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        for (name, points), (colour, dash) in zip(curves.items(), _strokes(), strict=False):
            x, y = _thinned(np.array(points, dtype=float).T)
            axes.plot(x, y, color=colour, ls=dash, lw=1.6, label=_legend_name(name))
        axes.set(xlabel="coverage: share of labels kept", ylabel="risk: share of them wrong")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(bottom=0)
        _legend(figure, len(curves))

    caption = (
        "Risk by coverage: keep the most reliable labels first, and see how many are wrong. "
        "Lower is better; at the right end, where all are kept, only the labels matter."
    )
    label = f"Risk-coverage curves of {', '.join(curves)}"
    return _drawing("risk", caption, label, 3.4 + _legend_height(len(curves)), paint)


def learning_curves(results: Results) -> Drawing | None:
    """Training loss by step."""
    curves = {
        plain(name): part
        for name, part in (results.get("curves") or {}).items()
        if part.get("step") and part.get("loss")
    }
    if not curves:
        return None

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        for (name, part), (colour, dash) in zip(curves.items(), _strokes(), strict=False):
            size = min(len(part["step"]), len(part["loss"]))
            pairs = np.array([part["step"][:size], part["loss"][:size]], dtype=float)
            x, y = _thinned(pairs)
            axes.plot(x, y, color=colour, ls=dash, lw=1.3, label=_legend_name(name))
        axes.set(xlabel="optimizer step", ylabel="training loss")
        _legend(figure, len(curves))

    caption = (
        "Training loss by step. Losses of arms with other targets or weights are on other "
        "scales: look at the shape."
    )
    label = f"Training loss by step of {', '.join(curves)}"
    return _drawing("curves", caption, label, 3.2 + _legend_height(len(curves)), paint)


def _drawing(name: str, caption: str, label: str, height: float, paint: Any) -> Drawing:
    return Drawing(name, caption, render(name, label, (WIDTH, height), paint))


def _height(rows: list[Row]) -> float:
    return 0.75 + 0.34 * len(rows)


def _lines(figure: "Figure", names: list[str]) -> "Axes":
    """Axes with one line for each name, the first on top."""
    axes = figure.subplots()
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.set_ylim(len(names) - 0.35, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=INK, alpha=0.12, lw=0.6)
    axes.set_axisbelow(True)
    return axes


def _span(span: Results | None) -> tuple[float, float, float] | None:
    """Value, low and high; the value itself where a bound is missing."""
    value = defined((span or {}).get("value"))
    if span is None or value is None:
        return None
    low, high = defined(span.get("low")), defined(span.get("high"))
    return value, value if low is None else low, value if high is None else high


def _band(axes: "Axes", span: Results | None) -> None:
    if known := _span(span):
        value, low, high = known
        axes.axvspan(low, high, color=INK, alpha=0.07, lw=0, zorder=0)
        axes.axvline(value, color=INK, alpha=0.45, lw=0.8, ls="--", zorder=0)


def _dot(axes: "Axes", y: float, span: Results | None, role: str) -> None:
    if known := _span(span):
        value, low, high = known
        colour = COLOURS[role]
        axes.plot([low, high], [y, y], color=colour, lw=1.8, solid_capstyle="round")
        axes.plot(value, y, MARKERS[role], color=colour, ms=10 if role in ENDS else 6.5, mew=1.8)


ENDS = ("floor", "ceiling")


def _forest_row(axes: "Axes", y: float, row: Row, low: float, high: float) -> None:
    """An interval cut at the borders of the axes, with an arrow where it goes on."""
    known = _span(row.pgr)
    if known is None:
        return
    value, start, end = (100 * part for part in known)
    span = {"value": min(max(value, low), high), "low": max(start, low), "high": min(end, high)}
    if start <= high and end >= low:
        axes.plot([span["low"], span["high"]], [y, y], color=COLOURS[row.role], lw=1.8)
    if low <= value <= high:
        axes.plot(value, y, MARKERS[row.role], color=COLOURS[row.role], ms=6.5, mew=1.8)
    for is_cut, x, marker in ((start < low, low, "<"), (end > high, high, ">")):
        if is_cut:
            axes.plot(x, y, marker, color=COLOURS[row.role], ms=6, clip_on=False)


def _value_at_right(axes: "Axes", y: float, text: str) -> None:
    axes.text(1.03, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)


def _calibration_panel(axes: "Axes", name: str, bins: list[Results], colour: str) -> None:
    x = [(b["low"] + b["high"]) / 2 for b in bins]
    y = [b["accuracy"] for b in bins]
    area = [8 + 320 * (defined(b.get("share")) or 0.0) for b in bins]
    axes.plot([0, 1], [0, 1], color=INK, alpha=0.45, lw=0.8, ls="--")
    axes.plot(x, y, color=colour, lw=1.2)
    axes.scatter(x, y, s=area, color=colour, alpha=0.75, lw=0, clip_on=False, zorder=3)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05), xticks=[0, 0.5, 1])
    axes.set_title(shortened(name, 26), loc="left")
    axes.grid(color=INK, alpha=0.12, lw=0.6)


def _strokes() -> "cycle[tuple[str, str]]":
    """Colours with dashes: the first lap of the palette is solid, the next is dashed."""
    return cycle([(colour, dash) for dash in DASHES for colour in PALETTE])


def _thinned(points: Any) -> Any:
    """At most MOST_POINTS columns, first and last among them."""
    size = points.shape[1]
    if size <= MOST_POINTS:
        return points
    return points[:, np.linspace(0, size - 1, MOST_POINTS).round().astype(int)]


def _legend_name(name: str) -> str:
    short = shortened(name, 24)
    return f" {short}" if short.startswith("_") else short  # Matplotlib hides names with "_"


LEGEND_COLUMNS = 4


def _legend(figure: "Figure", entries: int) -> None:
    figure.legend(loc="outside lower left", ncols=min(entries, LEGEND_COLUMNS))


def _legend_height(entries: int) -> float:
    return 0.22 * math.ceil(entries / LEGEND_COLUMNS)
