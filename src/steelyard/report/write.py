"""The report's files. Each replaces its former version at once: a reader never sees half a file."""

from pathlib import Path

from steelyard.io.atomic import write_text
from steelyard.report.formats import Results
from steelyard.report.grid_html import grid_page
from steelyard.report.markdown import study_markdown
from steelyard.report.study_html import study_page
from steelyard.report.weigh_html import weigh_page
from steelyard.report.weigh_items import LabelledItems


def write_study_report(results: Results, folder: Path) -> Path:
    """Write `report.md` and `report.html` into `folder`; returns the path of the page.

    Both are rendered before either is written.
    """
    texts = {"report.md": study_markdown(results), "report.html": study_page(results)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
    return folder / "report.html"


def write_grid_report(results: Results, folder: Path) -> Path:
    """Write `report.html` of a grid into `folder`; returns its path.

    Args:
        results: the content of grid.json.
        folder: of the grid.
    """
    page = grid_page(results)
    write_text(folder / "report.html", page)
    return folder / "report.html"


def write_weigh_report(summary: Results, folder: Path, items: LabelledItems | None = None) -> Path:
    """Write `report.html` into `folder`; returns its path.

    `summary` is the content of `summary.json`; a part that is missing or null is omitted.
    `items` are the labelled items to browse.
    """
    page = weigh_page(summary, items)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "report.html", page)
    return folder / "report.html"
