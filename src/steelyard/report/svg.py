"""Matplotlib figures as SVG text made for a page: inline, themed, the same bytes every time."""

import html
import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#0a0b0c"
"""Colour of text and axes while drawing; in the SVG it is `currentColor`."""

BLUE, ORANGE, GREEN, PINK, OCHRE, GREY = PALETTE = (
    "#2f7fc1",
    "#d55e00",
    "#009e73",
    "#c2669b",
    "#9a7b0a",
    "#7f7f7f",
)
"""After Okabe and Ito (2008), darkened where needed: 3:1 against white and against near-black."""

STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name with dollars is a name
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # wider than most: laid out with it, others fit
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
}


def render(
    name: str, label: str, size: tuple[float, float], paint: Callable[["Figure"], None]
) -> str:
    """One `<svg>` element, for a page that holds several.

    Args:
        name: of the figure, a word; every id in the SVG begins with it.
        label: what the figure shows, for those who do not see it.
        size: width and height in inches.
        paint: draws on the figure.
    """
    import matplotlib
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser's fonts draw the text, not the ones that lack the glyph.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE | {"svg.hashsalt": name})
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return inline(buffer.getvalue(), name, label)


def inline(document: str, name: str, label: str) -> str:
    """An SVG file of Matplotlib as an element: no prolog, metadata, global style or common ids."""
    body = document[document.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<style [^>]*>.*?</style>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<[a-zA-Z][^<>]*>", lambda tag: _themed(tag[0], name), body)
    view = re.search(r'viewBox="[-\d. ]+"', body)
    assert view is not None, "Matplotlib writes a viewBox"
    told = html.escape(label)
    root = (
        f'<svg {view[0]} role="img" aria-label="{told}" '
        f'stroke-linejoin="round" stroke-linecap="butt"><title>{told}</title>'
    )
    return root + body[body.index(">") + 1 :].strip()


def _themed(tag: str, name: str) -> str:
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
    tag = re.sub(r"font: (\d[\d.]*px) [^;\"]*", r"font-size: \1; font-family: inherit", tag)
    return re.sub(r"font-family: [^;\"]*", "font-family: inherit", tag)
