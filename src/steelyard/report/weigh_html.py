"""The page of `steelyard weigh`: which labels to use, which voters to trust, what to do next."""

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from steelyard.report import weigh_sentences as sentences
from steelyard.report import weigh_tables as tables
from steelyard.report.formats import Results, count
from steelyard.report.study_html import template
from steelyard.report.study_tables import Grid
from steelyard.report.weigh_figures import weigh_figures
from steelyard.report.weigh_glossary import GLOSSARY, glossary, term_of
from steelyard.report.weigh_items import LabelledItems, inert_json, item_lines, page_data
from steelyard.report.weigh_next_steps import next_steps
from steelyard.report.weigh_verdict import verdict
from steelyard.report.weigh_voter_tables import voter_grids

if TYPE_CHECKING:
    from markupsafe import Markup


def weigh_page(summary: Results, items: LabelledItems | None = None) -> str:
    """The page: works offline, in light and dark; its own script only sorts, filters and copies.

    Names of voters, examples and classes are escaped by the template. The script sets text as text,
    and the page's security policy lets no other script run. The same input gives the same bytes.

    Args:
        summary: the content of `summary.json`.
        items: the labelled items; None leaves them out.
    """
    from markupsafe import Markup

    script = (files("steelyard.report") / "templates" / "weigh.js").read_text(encoding="utf-8")
    grids, figures = voter_grids(summary), weigh_figures(summary)
    grids["copies"] = tables.copies_grid(summary)
    grids["relabel"] = tables.relabel_grid(summary)
    grids["methods"] = tables.methods_grid(summary)
    grids["class_scores"] = tables.class_scores_grid(summary)
    risk = sentences.risk_evidence(summary)
    others = [
        *(["True accuracy"] if grids["methods"] else []),
        *(["Entropy"] if "entropy" in figures else []),
        *(["Risk control"] if risk else []),
        *(["Copies"] if grids["copies"] else []),
        *(["Slice"] if items is not None and items.slices else []),
    ]
    return template("weigh.html.j2").render(
        summary=summary,
        title=sentences.title(summary),
        headline=sentences.weigh_headline(summary),
        notes=sentences.weigh_notes(summary),
        verdict=verdict(summary),
        warnings_below=sentences.other_warnings(summary),
        facts=sentences.facts(summary),
        truth_items=count((summary.get("truth") or {}).get("items")),
        chance=tables.chance(summary),
        groups=tables.voter_groups(summary),
        matrices=tables.matrices(summary),
        risk=risk,
        figures=figures,
        steps=next_steps(summary),
        grids=grids,
        explained=explained,
        glossary=glossary(_headings(grids), others),
        lines=None if items is None else item_lines(items),
        items=items,
        data=None if items is None else Markup(inert_json(page_data(items))),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def explained(text: str) -> "Markup":
    """A heading, with the definition of its term as a tooltip.

    >>> explained("votes"), explained("AURC").startswith('<abbr title="The mean share')
    (Markup('votes'), True)
    """
    from markupsafe import Markup

    term = term_of(text)
    if term is None:
        return Markup("{}").format(text)
    return Markup('<abbr title="{}">{}</abbr>').format(GLOSSARY[term], text)


def _headings(grids: dict[str, Grid | None]) -> Iterator[str]:
    """The titles of the columns, and the names of the rows."""
    for grid in filter(None, grids.values()):
        yield from grid.header
        yield from (row[0] for row in grid.rows)
