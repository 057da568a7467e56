"""The report of a study as one HTML page that works offline, without scripts, in light and dark."""

import re
from functools import cache
from typing import TYPE_CHECKING

from steelyard.report import label_tables, study_statistics, study_tables, task_tables
from steelyard.report.formats import Results, plain
from steelyard.report.glossary import GLOSSARY
from steelyard.report.gold_curve import gold_grid
from steelyard.report.recommendation import recommendation_grid
from steelyard.report.study_figures import study_figures
from steelyard.report.study_sentences import best_arm, study_headline, study_notes
from steelyard.report.tables import GROUPS, HEADER, Row, cells, reasons, summary_rows

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def study_page(results: Results) -> str:
    """The complete report of one study.

    Text from data is escaped by the template; only our own figures are inserted as markup.
    The same results give the same bytes.
    """
    rows, best = summary_rows(results), best_arm(results)
    return template("study.html.j2").render(
        results=results,
        headline=study_headline(results),
        notes=study_notes(results),
        header=HEADER,
        groups=grouped(rows),
        cells=cells,
        reasons=reasons(rows),
        best=best.name if best else None,
        figures=study_figures(results),
        tables=study_tables,
        gold=gold_grid(results),
        recommended=recommendation_grid(results),
        statistics=study_statistics,
        tasks=task_tables,
        label_tables=label_tables,
        glossary=GLOSSARY,
    )


@cache
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
    environment.filters["prose"] = prose
    return environment.get_template(name)


def prose(text: object) -> "Markup":
    """A sentence for the page: escaped, and what stands between backticks is code.

    >>> print(prose("`data.leaks: drop` removes <them>"))
    <code>data.leaks: drop</code> removes &lt;them&gt;
    """
    from markupsafe import Markup

    parts = re.split(r"`([^`]+)`", plain(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts)
    )


def grouped(rows: list[Row]) -> list[tuple[str, str, list[Row]]]:
    """The rows of the table by role: (role, heading, rows), without roles that have no row."""
    groups = [
        (role, title, [row for row in rows if row.role == role]) for role, title in GROUPS.items()
    ]
    return [group for group in groups if group[2]]
