"""The figures of a study's report, from its results; None where there is nothing to show."""

from dataclasses import dataclass

from steelyard.report.charts import (
    BLUE,
    BROAD,
    GREY,
    INK,
    NARROW,
    PINK,
    Axes,
    Figure,
    Point,
    Scale,
    circle,
    figure_svg,
    line,
    nice_ticks,
    polygon,
    rectangle,
    series_of,
    text,
    text_width,
)
from steelyard.report.formats import Results, defined, interval, percent_interval, plain, shortened
from steelyard.report.gold_curve import gold_figure
from steelyard.report.score_figures import calibration, ends_of, line_chart, risk_coverage
from steelyard.report.study_sentences import best_arm
from steelyard.report.tables import Row, summary_rows

COLOURS = {
    "floor": INK,
    "arm": BLUE,
    "control": GREY,
    "oracle": PINK,
    "conflict": PINK,
    "reference": PINK,
    "ceiling": INK,
}

Span = tuple[float, float, float]  # value, low, high


def study_figures(results: Results) -> dict[str, Figure]:
    """Every figure that the results allow, by name."""
    methods = results.get("reliability") or {}
    best = best_arm(results)
    figures = (
        scores(results),
        gaps(results),
        calibration(methods),
        risk_coverage(methods),
        learning_curves(results),
        gold_figure(results, best.name if best else ""),
    )
    return {figure.name: figure for figure in figures if figure is not None}


@dataclass(frozen=True)
class _ForestRow:
    """One line of a forest plot, in the units of its axis."""

    name: str
    value_text: str
    role: str
    span: Span | None
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Forest:
    """A forest plot: rows on one axis from `low` to `high`, guides and bands behind them."""

    rows: tuple[_ForestRow, ...]
    low: float
    high: float
    title: str
    guides: tuple[float, ...] = ()
    bands: tuple[tuple[float, float], ...] = ()

    def svg(self, width: int, label: str) -> str:
        """Names left and values right of the rows; in a narrow figure they stand above them."""
        is_narrow = width < BROAD
        left = 10.0 if is_narrow else 16 + max(text_width(shortened(r.name, 30)) for r in self.rows)
        values = 0 if is_narrow else max(text_width(row.value_text) for row in self.rows)
        pitch = 44 if is_narrow else 26
        bottom = 12 + pitch * len(self.rows)
        axes = Axes(
            Scale(self.low, self.high, round(left), round(width - 14 - values)),
            Scale(0, 1, bottom, 4),
        )
        body = self._background(axes)
        for i, row in enumerate(self.rows):
            y = 12 + pitch * i + (28 if is_narrow else 10)
            names_y, margin = (y - 14, left) if is_narrow else (y + 4, left - 10)
            name = shortened(row.name, 24 if is_narrow else 30)
            body += text((round(margin), names_y), name, "start" if is_narrow else "end")
            body += text((width - 4, names_y), row.value_text, "end")
            body += self._mark(axes, y, row)
        return figure_svg((width, bottom + 42), label, body)

    def _background(self, axes: Axes) -> str:
        top, bottom = axes.y.end, axes.y.start
        body = ""
        for low, high in self.bands:
            body += rectangle((axes.x(low), top), (axes.x(high), bottom), INK, 0.08)
        for value in self.guides:
            x = axes.x(value)
            body += line((x, top), (x, bottom), INK, "4 3", 0.8, 0.55)
        return body + axes.x_axis(nice_ticks(self.low, self.high), self.title, has_grid=True)

    def _mark(self, axes: Axes, y: float, row: _ForestRow) -> str:
        """Interval and value, with an arrow where the interval exceeds the axis, and seeds."""
        colour = COLOURS[row.role]
        body = "".join(circle((axes.x(seed), y + 6), 1.5, colour, 0.7) for seed in row.seeds)
        if row.span is None:
            return body
        value, low, high = row.span
        if low <= self.high and high >= self.low:
            ends = (axes.x(max(low, self.low)), y), (axes.x(min(high, self.high)), y)
            body += line(*ends, colour)
        if self.low <= value <= self.high:
            body += _marker((axes.x(value), y), row.role)
        if low < self.low:
            body += polygon((axes.x.start, y), ((-5, 0), (2, -4), (2, 4)), colour)
        if high > self.high:
            body += polygon((axes.x.end, y), ((5, 0), (-2, -4), (-2, 4)), colour)
        return body


def _marker(centre: Point, role: str) -> str:
    """A bar for floor and ceiling, a circle for arms, a square for controls, a diamond else."""
    x, y = centre
    if role in ("floor", "ceiling"):
        return line((x, y - 6), (x, y + 6), COLOURS[role], width=2.2)
    if role == "arm":
        return circle(centre, 4, COLOURS[role])
    corners = ((-4, -4), (4, -4), (4, 4), (-4, 4))
    if role in ("oracle", "conflict"):
        corners = ((0, -5), (5, 0), (0, 5), (-5, 0))
    return polygon(centre, corners, COLOURS[role])


def scores(results: Results) -> Figure | None:
    """Each row's score and interval between floor and ceiling; small dots are seeds."""
    rows = [row for row in summary_rows(results) if _span(row.score)]
    if not rows:
        return None
    metric = plain(results.get("metric") or "score")
    forest_rows = tuple(
        _ForestRow(
            row.name,
            interval(row.score),
            row.role,
            _span(row.score),
            row.seed_scores if len(row.seed_scores) > 1 else (),
        )
        for row in rows
    )
    references = [span for key in ("weak", "ceiling") if (span := _span(results.get(key)))]
    values = [x for row in forest_rows for x in (*(row.span or ()), *row.seeds)]
    margin = 0.04 * (max(values) - min(values)) or 0.05
    forest = _Forest(
        forest_rows,
        min(values) - margin,
        max(values) + margin,
        shortened(metric, 40),
        tuple(value for value, *_ in references),
        tuple((low, high) for _, low, high in references),
    )
    caption = (
        f"Score ({metric}) with 95 % intervals. Small dots are seeds; the shaded bands are "
        "floor and ceiling."
    )
    return _forest_figure("scores", caption, f"Scores: {_listed(forest_rows)}", forest)


def gaps(results: Results) -> Figure | None:
    """Forest plot of PGR in percent; None where no arm has any."""
    rows = tuple(
        _ForestRow(row.name, percent_interval(row.pgr), row.role, _percent(row))
        for row in summary_rows(results)
        if row.is_arm
    )
    spans = [row.span for row in rows if row.span]
    if not spans:
        return None
    low = max(-100.0, min(0.0, *(span[1] for span in spans)) - 8)
    high = min(200.0, max(100.0, *(span[2] for span in spans)) + 8)
    forest = _Forest(rows, low, high, "performance gap recovered, %", guides=(0, 100))
    caption = (
        "Performance gap recovered with 95 % intervals. 0 % is the floor, 100 % the ceiling; an "
        "arrow marks an interval that extends beyond the figure."
    )
    return _forest_figure("gaps", caption, f"Gap recovered: {_listed(rows)}", forest)


def learning_curves(results: Results) -> Figure | None:
    """Training loss by step."""
    curves = {
        plain(name): list(_steps(part)) for name, part in (results.get("curves") or {}).items()
    }
    series = series_of(curves)
    if not series:
        return None
    caption = (
        "Training loss by step. The losses of arms with different targets or weights are on "
        "different scales: compare shapes, not heights."
    )
    label = f"Training loss by step. {ends_of(series)}"
    narrow, broad = (
        line_chart(series, width, ("optimizer step", "training loss"), label)
        for width in (NARROW, BROAD)
    )
    return Figure("curves", caption, narrow, broad, tuple(series))


def _steps(curve: Results) -> list[Point]:
    pairs = zip(curve.get("step") or (), curve.get("loss") or (), strict=False)
    points = ((defined(step), defined(loss)) for step, loss in pairs)
    return [(x, y) for x, y in points if x is not None and y is not None]


def _forest_figure(name: str, caption: str, label: str, forest: _Forest) -> Figure:
    return Figure(name, caption, forest.svg(NARROW, label), forest.svg(BROAD, label))


def _listed(rows: tuple[_ForestRow, ...]) -> str:
    return "; ".join(f"{row.name} {row.value_text}" for row in rows)


def _percent(row: Row) -> Span | None:
    span = _span(row.pgr)
    return None if span is None else (100 * span[0], 100 * span[1], 100 * span[2])


def _span(span: Results | None) -> Span | None:
    """Value, low and high; the value itself where a bound is missing."""
    value = defined((span or {}).get("value"))
    if span is None or value is None:
        return None
    low, high = defined(span.get("low")), defined(span.get("high"))
    return value, value if low is None else low, value if high is None else high
