"""Small charts as SVG text, drawn without a plotting library: scales, axes, marks.

Text and axes take the colour of the page (`currentColor`), so that a chart fits light and dark
pages. The same data give the same bytes. No element has an id: charts may stand side by side.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from steelyard.report.formats import columns, shortened

BLUE, ORANGE, GREEN, PINK, OCHRE, GREY = PALETTE = (
    "#2f7fc1",
    "#d55e00",
    "#009e73",
    "#c2669b",
    "#9a7b0a",
    "#7f7f7f",
)
"""After Okabe and Ito (2008), darkened where needed: 3:1 against white and against near-black."""

INK = "currentColor"
DASHES = ("", "8 5", "2 4", "9 4 2 4")
"""Lines that lie on each other are told apart by their dashes."""

FONT = 12  # pixels
BROAD, NARROW = 840, 360  # widths in pixels: of a column of text, and of a telephone
MOST_POINTS = 300  # of a line; more is not seen at these widths

Point = tuple[float, float]
Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Series:
    """A line of a chart: its names (of all equal lines), points in data units, and stroke."""

    names: tuple[str, ...]
    points: tuple[Point, ...]
    colour: str
    dash: str

    @property
    def label(self) -> str:
        """The names as the legend shows them."""
        return " = ".join(shortened(name, 28) for name in self.names)


@dataclass(frozen=True)
class Figure:
    """A figure of a page: an SVG for narrow places and, if it gains by that, one for broad ones."""

    name: str
    caption: str
    narrow: str
    broad: str = ""
    legend: tuple[Series, ...] = ()


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map of [low, high] to the pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)


@dataclass(frozen=True)
class Axes:
    """A plot area: `x` runs from left to right, `y` from the bottom to the top."""

    x: Scale
    y: Scale

    def x_axis(self, ticks: Ticks, title: str = "", has_grid: bool = False) -> str:
        """The bottom line with its ticks below it and the title below those."""
        bottom, top = self.y.start, self.y.end
        parts = [line((self.x.start, bottom), (self.x.end, bottom), INK, "", 0.6)]
        for value, label in ticks:
            x = self.x(value)
            if has_grid:
                parts.append(line((x, bottom), (x, top), INK, "", 0.6, 0.15))
            parts.append(line((x, bottom), (x, bottom + 4), INK, "", 0.6))
            parts.append(text((x, bottom + 17), label, "middle"))
        if title:
            middle = round((self.x.start + self.x.end) / 2, 1)
            parts.append(text((middle, bottom + 35), title, "middle"))
        return "".join(parts)

    def y_axis(self, ticks: Ticks, title: str = "") -> str:
        """Horizontal grid lines with labels left of them, and the title upwards, 49 pixels left."""
        parts = []
        for value, label in ticks:
            y = self.y(value)
            parts.append(line((self.x.start, y), (self.x.end, y), INK, "", 0.6, 0.15))
            if label:
                parts.append(text((self.x.start - 7, y + 4), label, "end"))
        if title:
            middle = round((self.y.start + self.y.end) / 2, 1)
            x = self.x.start - 49
            turn = f' transform="rotate(-90 {x:g} {middle:g})"'
            parts.append(text((x, middle), title, "middle", turn))
        return "".join(parts)

    def polyline(self, series: Series, width: float = 1.8) -> str:
        """A series as a line, at most MOST_POINTS of its points."""
        points = " ".join(f"{self.x(x):g},{self.y(y):g}" for x, y in thinned(series.points))
        dashes = f' stroke-dasharray="{series.dash}"' if series.dash else ""
        return (
            f'<polyline points="{points}" fill="none" stroke="{series.colour}" '
            f'stroke-width="{width:g}" stroke-linejoin="round"{dashes}/>'
        )

    def dot(self, point: Point, radius: float, colour: str) -> str:
        """A slightly transparent dot at a point in data units."""
        return circle((self.x(point[0]), self.y(point[1])), radius, colour, 0.8)


def figure_svg(size: tuple[float, float], label: str, body: str) -> str:
    """An `<svg>` element with what it shows in words, for readers who cannot see it."""
    width, height = size
    description = html.escape(label)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{description}" '
        f'width="{width:g}" font-size="{FONT}" fill="{INK}">'
        f"<title>{description}</title>{body}</svg>"
    )


def line(
    start: Point, end: Point, colour: str, dash: str = "", width: float = 1.8, opacity: float = 1.0
) -> str:
    """A straight line between two points in pixels."""
    rest = f' stroke-dasharray="{dash}"' if dash else ""
    rest += f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
    return (
        f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" '
        f'stroke="{colour}" stroke-width="{width:g}"{rest}/>'
    )


def circle(centre: Point, radius: float, colour: str, opacity: float = 1.0) -> str:
    """A filled circle in pixels."""
    rest = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<circle cx="{centre[0]:g}" cy="{centre[1]:g}" r="{radius:.1f}" fill="{colour}"{rest}/>'


def polygon(centre: Point, offsets: Sequence[Point], colour: str) -> str:
    """A filled shape whose corners are offsets from its centre, in pixels."""
    points = " ".join(f"{centre[0] + x:g},{centre[1] + y:g}" for x, y in offsets)
    return f'<polygon points="{points}" fill="{colour}"/>'


def rectangle(corner: Point, opposite: Point, colour: str, opacity: float) -> str:
    """A filled rectangle from its upper left to its lower right corner, in pixels."""
    width, height = opposite[0] - corner[0], opposite[1] - corner[1]
    return (
        f'<rect x="{corner[0]:g}" y="{corner[1]:g}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}" fill-opacity="{opacity:g}"/>'
    )


def text(start: Point, content: str, anchor: str = "start", attributes: str = "") -> str:
    """Text at a point in pixels; it may come from data."""
    align = f' text-anchor="{anchor}"' if anchor != "start" else ""
    shown = html.escape(content)
    return f'<text x="{start[0]:g}" y="{start[1]:g}"{align}{attributes}>{shown}</text>'


def text_width(content: str) -> float:
    """Upper estimate of the width in pixels, in fonts as wide as DejaVu Sans."""
    return 7.2 * columns(content)


def series_of(curves: Mapping[str, Iterable[Point]]) -> list[Series]:
    """Curves with their strokes, those without points omitted.

    Curves that cannot be told apart in a figure, because they differ by less than 0.5 % of the
    largest value, become one series with several names.
    """
    points = {name: tuple(curve) for name, curve in curves.items()}
    points = {name: curve for name, curve in points.items() if curve}
    tolerance = 0.005 * max((abs(y) for curve in points.values() for _, y in curve), default=0)
    groups: list[list[str]] = []
    for name, curve in points.items():
        same = (group for group in groups if _are_close(points[group[0]], curve, tolerance))
        if group := next(same, None):
            group.append(name)
        else:
            groups.append([name])
    return [Series(tuple(names), points[names[0]], *_stroke(i)) for i, names in enumerate(groups)]


def _are_close(first: Sequence[Point], second: Sequence[Point], tolerance: float) -> bool:
    return len(first) == len(second) and all(
        x == other_x and abs(y - other_y) <= tolerance
        for (x, y), (other_x, other_y) in zip(first, second, strict=True)
    )


def _stroke(i: int) -> tuple[str, str]:
    """Colour and dashes of line number i; 24 lines differ."""
    period = math.lcm(len(PALETTE), len(DASHES))
    return PALETTE[i % len(PALETTE)], DASHES[(i + i // period) % len(DASHES)]


def nice_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round values in [low, high], at most `most`, with their labels.

    >>> nice_ticks(0.58, 0.89)
    [(0.6, '0.60'), (0.65, '0.65'), (0.7, '0.70'), (0.75, '0.75'), (0.8, '0.80'), (0.85, '0.85')]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    steps = (power * factor for factor in (1, 2, 2.5, 5, 10, 20))
    step = next(s for s in steps if math.floor(high / s + 1e-9) - math.ceil(low / s - 1e-9) < most)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    digits += not math.isclose(step, round(step, digits))  # 0.25
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(round(n * step, 12), f"{n * step + 0.0:,.{digits}f}") for n in numbers]


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS points evenly along the line, the first and the last among them."""
    size = len(points)
    if size <= MOST_POINTS:
        return list(points)
    return [points[round(i * (size - 1) / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]
