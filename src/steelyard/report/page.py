"""The report as one HTML page that works offline, without scripts, in light and dark."""

from typing import TYPE_CHECKING

from steelyard.report import sections
from steelyard.report.figures import drawings
from steelyard.report.formats import Results, plain
from steelyard.report.headline import best_arm, headline, remarks
from steelyard.report.notes import NOTES
from steelyard.report.tables import GROUPS, HEADER, Row, cells, reasons, summary_rows

if TYPE_CHECKING:
    from jinja2 import Template


def page(results: Results) -> str:
    """The complete report of one study.

    Text from data is escaped by the template; only our own figures are inserted as markup.
    The same results give the same bytes.
    """
    rows, best = summary_rows(results), best_arm(results)
    return template("page.html.j2").render(
        results=results,
        headline=headline(results),
        remarks=remarks(results),
        header=HEADER,
        groups=grouped(rows),
        cells=cells,
        reasons=reasons(rows),
        best=best.name if best else None,
        figures=drawings(results),
        sections=sections,
        notes=NOTES,
    )


def template(name: str) -> "Template":
    """A page's template: all text is escaped, an unknown name is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("steelyard.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    return environment.get_template(name)


def grouped(rows: list[Row]) -> list[tuple[str, str, list[Row]]]:
    """The rows of the table by role: (role, heading, rows), roles without rows left out."""
    found = [
        (role, title, [row for row in rows if row.role == role]) for role, title in GROUPS.items()
    ]
    return [group for group in found if group[2]]
