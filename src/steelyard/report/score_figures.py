"""How well reliability scores find wrong labels: figures of studies and of `weigh`."""

import math
from collections.abc import Iterable, Mapping

from steelyard.report.charts import (
    BROAD,
    INK,
    NARROW,
    Axes,
    Figure,
    Point,
    Scale,
    Series,
    figure_svg,
    line,
    nice_ticks,
    series_of,
    text,
)
from steelyard.report.formats import Results, defined, number, plain, shortened

Bin = tuple[float, float, float]  # mean of the bounds, share of right labels, share of the labels


def calibration(methods: Mapping[str, Results]) -> Figure | None:
    """Label accuracy by bin of the score, one panel for each method; None without bins."""
    bins = {plain(name): _bins(part.get("bins") or ()) for name, part in methods.items()}
    bins = {name: rows for name, rows in bins.items() if rows}
    if not bins:
        return None
    caption = (
        "Label accuracy by reliability score. A dot's area is the share of the items in its bin; "
        "on the dashed line the score is the probability that the label is right."
    )
    ranges = "; ".join(
        f"{name}: accuracy {number(rows[0][1], 2)} in the lowest bin, {number(rows[-1][1], 2)} in "
        "the highest"
        for name, rows in bins.items()
    )
    label = f"Label accuracy by reliability score. {ranges}"
    broad = figure_svg(*_panels(bins, BROAD, 3, label)) if len(bins) > 1 else ""
    return Figure("calibration", caption, figure_svg(*_panels(bins, NARROW, 2, label)), broad)


def _bins(bins: Iterable[Results]) -> list[Bin]:
    rows = []
    for row in bins:
        low, high, accuracy = (defined(row.get(key)) for key in ("low", "high", "accuracy"))
        if low is not None and high is not None and accuracy is not None:
            rows.append(((low + high) / 2, accuracy, defined(row.get("share")) or 0.0))
    return rows


def _panels(
    bins: dict[str, list[Bin]], width: int, most: int, label: str
) -> tuple[tuple[float, float], str, str]:
    """Size, label and body of a figure of at most `most` panels in a row."""
    columns = min(most, len(bins))
    pitch = width / most if len(bins) > 1 else width
    side = min(pitch, 290) - 74
    low = 0.5 if min(min(x, y) for rows in bins.values() for x, y, _ in rows) >= 0.5 else 0.0
    ticks = [(low, f"{low:g}"), ((1 + low) / 2, f"{(1 + low) / 2:g}"), (1.0, "1")]
    parts = []
    for i, (name, rows) in enumerate(bins.items()):
        left, top = 60 + i % columns * pitch, 26 + i // columns * (side + 68)
        axes = Axes(Scale(low, 1, left, left + side), Scale(low, 1, top + side, top))
        series = series_of({name: [(x, y) for x, y, _ in rows]})[0]
        is_first, is_low = i % columns == 0, i + columns >= len(bins)
        parts += [
            text((left, top - 10), shortened(name, int(side / 7.2))),
            axes.y_axis(ticks, "label accuracy" if is_first else ""),
            axes.x_axis(ticks, "score" if is_low else ""),
            line((left, top + side), (left + side, top), INK, "4 4", 1, 0.5),
            axes.polyline(series, 1.2),
            *(axes.dot((x, y), 2 + 9 * math.sqrt(share), series.colour) for x, y, share in rows),
        ]
    height = 26 + math.ceil(len(bins) / columns) * (side + 68) - 24
    size = (round(columns * pitch if len(bins) > 1 else side + 74), round(height))
    return size, label, "".join(parts)


def risk_coverage(methods: Mapping[str, Results]) -> Figure | None:
    """Share of wrong labels among the most reliable ones, by how many are kept."""
    curves = {
        plain(name): list(_points(part.get("risk_coverage") or ()))
        for name, part in methods.items()
    }
    series = series_of(curves)
    if not series:
        return None
    caption = (
        "Risk by coverage: the labels of highest score are kept first. Lower is better; at the "
        "right end, where all labels are kept, the scores no longer matter."
    )
    label = f"Risk-coverage curves. {ends_of(series)}"
    titles = ("coverage: share of the labels kept", "risk: share of wrong labels")
    svg = line_chart(series, NARROW, titles, label, widest=3.4, last=1.0)
    return Figure("risk", caption, svg, legend=tuple(series))


def _points(pairs: Iterable[tuple[float | None, float | None]]) -> Iterable[Point]:
    for coverage, risk in pairs:
        x, y = defined(coverage), defined(risk)
        if x is not None and y is not None:
            yield x, y


def ends_of(series: Iterable[Series]) -> str:
    """The first and the last value of each line, in words."""
    return "; ".join(
        f"{', '.join(row.names)}: from {number(row.points[0][1])} to {number(row.points[-1][1])}"
        for row in series
    )


def line_chart(
    series: list[Series],
    width: int,
    titles: tuple[str, str],
    label: str,
    widest: float = 1.6,
    last: float | None = None,
    ticks: list[tuple[float, str]] | None = None,
) -> str:
    """Lines on axes that begin at 0, or below where a value is negative, as an SVG.

    Args:
        series: at least one line.
        width: of the figure, in pixels.
        titles: of the horizontal and of the vertical axis.
        label: what the figure shows, in words.
        widest: stroke width of the first line in pixels; each next line is 1 narrower, down to 1.6.
        last: end of the horizontal axis; the largest value by default.
        ticks: places and labels of the horizontal axis; round numbers by default.
    """
    height = 250 if width < BROAD else 300
    points = [point for row in series for point in row.points]
    top = max(y for _, y in points)
    low = min(0.0, *(y for _, y in points))
    high = low + 1.05 * (top - low) if top > low else low + 1
    right = last or max(1.0, *(x for x, _ in points))
    axes = Axes(Scale(0, right, 60, width - 14), Scale(low, high, height - 42, 10))
    body = axes.y_axis(nice_ticks(low, high), titles[1])
    body += axes.x_axis(ticks or nice_ticks(0, right, 5 if width < BROAD else 8), titles[0])
    for i, row in enumerate(series):  # the lower ones are wider, and seen where lines overlap
        body += axes.polyline(row, max(1.6, widest - i))
    return figure_svg((width, height), label, body)
