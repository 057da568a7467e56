"""Small charts as SVG, made without a plotting library: `weigh` starts and ends in a second."""

import html
from collections.abc import Iterable
from dataclasses import dataclass

from steelyard.report.formats import Results, defined, number, percent, plain, shortened
from steelyard.report.svg import BLUE, PALETTE

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 60, 12, 10, 40  # margins of the axes
MOST_LINES = len(PALETTE)
MOST_POINTS = 100


@dataclass(frozen=True)
class Plot:
    """A figure, its caption, and the names of its lines with their colours."""

    name: str
    caption: str
    svg: str
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Line:
    name: str
    colour: str
    points: tuple[tuple[float, float], ...]
    sizes: tuple[float, ...] = ()  # share of each point, for dots


def drawings(summary: Results) -> dict[str, Plot]:
    """Every figure that the summary allows, by name."""
    made = (bins(summary), risk_coverage(summary), entropies(summary))
    return {plot.name: plot for plot in made if plot is not None}


def bins(summary: Results) -> Plot | None:
    """Share of right labels by score, of each method."""
    lines = []
    for name, part, colour in _methods(summary):
        found = []
        for b in part.get("bins") or ():
            low, high, right = (defined(b.get(key)) for key in ("low", "high", "accuracy"))
            if low is not None and high is not None and right is not None:
                found.append(((low + high) / 2, right, defined(b.get("share")) or 0.0))
        if found:
            points = tuple((x, y) for x, y, _ in found)
            lines.append(_Line(name, colour, points, tuple(share for *_, share in found)))
    if not lines:
        return None
    body = _path([(0, 0), (1, 1)], "currentColor", 1.0, 'class="guide" stroke-dasharray="4 4"')
    body += "".join(map(_drawn, lines))
    caption = (
        "Right labels by score. A dot's size is the share of the items; on the dashed line the "
        "score means what it says."
    )
    return _plot("bins", caption, body, "score", "labels right", _told(lines), _legend(lines))


def risk_coverage(summary: Results) -> Plot | None:
    """Share of wrong labels among the most reliable, by how many are kept."""
    lines = []
    for name, part, colour in _methods(summary):
        points = [
            (x, y)
            for coverage, risk in part.get("risk_coverage") or ()
            if (x := defined(coverage)) is not None and (y := defined(risk)) is not None
        ]
        if points:
            lines.append(_Line(name, colour, tuple(_thinned(points))))
    if not lines:
        return None
    top = _round_up(max(y for line in lines for _, y in line.points))
    body = "".join(_path(line.points, line.colour, top) for line in lines)
    caption = "Keep the best scores first: how many are kept, and how many of those are wrong."
    axes = ("share of labels kept", "wrong among them")
    return _plot("risk", caption, body, *axes, _told(lines), _legend(lines), top)


def entropies(summary: Results) -> Plot | None:
    """Share of the items, and of right labels, by entropy of the votes."""
    found = [
        (entropy, share, defined(b.get("accuracy")))
        for b in summary.get("entropy_bins") or ()
        if (entropy := defined(b.get("entropy"))) is not None
        and (share := defined(b.get("share"))) is not None
    ]
    if not found:
        return None
    known = any(right is not None for *_, right in found)
    top = 1.0 if known else _round_up(max(share for _, share, _ in found))
    slot = 1 / len(found)
    body, ticks = "", []
    for i, (entropy, share, right) in enumerate(found):
        x = (i + 0.5) * slot
        body += _bar(x, 0.72 * slot, share / top)
        ticks.append((x, number(entropy, 2)))
        if right is not None:
            body += _dot(x, right, 4.5, PALETTE[1])
    caption = "Items by entropy of their votes: 0 where all agree. Bars are the share of the items"
    caption += "; dots, how many of their labels are right." if known else "."
    told = "; ".join(
        f"entropy {number(e, 2)}: {percent(share)} of the items"
        + (f", {percent(right)} right" if right is not None else "")
        for e, share, right in found
    )
    legend = [("share of items", BLUE)] + ([("labels right", PALETTE[1])] if known else [])
    return _plot(
        "entropy", caption, body, "entropy of the votes, nats", "", told, legend, top, ticks
    )


def _methods(summary: Results) -> Iterable[tuple[str, Results, str]]:
    methods = list((summary.get("methods") or {}).items())[:MOST_LINES]
    return [(plain(name), part, PALETTE[i]) for i, (name, part) in enumerate(methods)]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // MOST_POINTS)
    return [*points[:-1:step], points[-1]]


def _round_up(value: float) -> float:
    """The next of 0.05, 0.1, 0.2, 0.5, 1, so that a low curve fills the axes."""
    return next((top for top in (0.05, 0.1, 0.2, 0.5) if value <= top), 1.0)


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _path(points: Iterable[tuple[float, float]], colour: str, top: float, more: str = "") -> str:
    text = " ".join(f"{_x(x)},{_y(y / top)}" for x, y in points)
    return f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="2" {more}/>'


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return (
        f'<circle cx="{_x(x)}" cy="{_y(y)}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.8"/>'
    )


def _bar(x: float, width: float, height: float) -> str:
    left, right, top = _x(x - width / 2), _x(x + width / 2), _y(height)
    return (
        f'<rect x="{left}" y="{top}" width="{right - left:.1f}" height="{_y(0) - top:.1f}" '
        f'fill="{BLUE}" fill-opacity="0.75" rx="1.5"/>'
    )


def _drawn(line: _Line) -> str:
    dots = (
        _dot(x, y, 2.5 + 9 * size**0.5, line.colour)
        for (x, y), size in zip(line.points, line.sizes, strict=True)
    )
    return _path(line.points, line.colour, 1.0) + "".join(dots)


def _told(lines: list[_Line]) -> str:
    return "; ".join(
        f"{line.name}: from {number(line.points[0][1], 2)} to {number(line.points[-1][1], 2)}"
        for line in lines
    )


def _legend(lines: list[_Line]) -> list[tuple[str, str]]:
    return [(shortened(line.name, 28), line.colour) for line in lines] if len(lines) > 1 else []


def _plot(
    name: str,
    caption: str,
    body: str,
    across: str,
    up: str,
    told: str,
    legend: Iterable[tuple[str, str]],
    top: float = 1.0,
    ticks: Iterable[tuple[float, str]] = (
        (0, "0"),
        (0.25, "0.25"),
        (0.5, "0.5"),
        (0.75, "0.75"),
        (1, "1"),
    ),
) -> Plot:
    grid = ""
    for step in range(5):
        y = _y(step / 4)
        label = f"{top * step / 4:.3g}"
        grid += f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        grid += f'<text x="{LEFT - 7}" y="{y + 4}" text-anchor="end">{label}</text>'
    for x, label in ticks:
        grid += f'<text x="{_x(x)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{label}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    grid += f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{html.escape(across)}</text>'
    if up:
        y = (TOP + HEIGHT - BOTTOM) / 2
        turned = f'transform="rotate(-90 11 {y})" text-anchor="middle"'
        grid += f'<text x="11" y="{y}" {turned}>{html.escape(up)}</text>'
    label = html.escape(f"{caption} {told}")
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" '
        f'id="plot-{name}">{grid}{body}</svg>'
    )
    return Plot(name, caption, svg, tuple(legend))
