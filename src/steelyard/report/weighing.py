"""The page of `steelyard weigh`: whom to trust, what to label again, how good the labels are."""

from pathlib import Path

from steelyard.report import weighing_parts as parts
from steelyard.report import weighing_words as words
from steelyard.report.formats import Results, count
from steelyard.report.page import template
from steelyard.report.weighing_plots import drawings
from steelyard.report.write import replace_text


def write_weighing(summary: Results, folder: Path) -> Path:
    """Write `report.html`, whole or not at all, into `folder`; returns its path.

    `summary` is the content of `summary.json`; a part that is missing or null is left out.
    """
    text = weighing_page(summary)
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / "report.html", text)
    return folder / "report.html"


def weighing_page(summary: Results) -> str:
    """The page: works offline, without scripts, in light and dark.

    Names of voters, examples and classes are escaped by the template. The same summary gives the
    same bytes.
    """
    return template("weigh.html.j2").render(
        summary=summary,
        title=words.title(summary),
        headline=words.headline(summary),
        remarks=words.remarks(summary),
        facts=words.facts(summary),
        truth_items=count((summary.get("truth") or {}).get("items")),
        chance=parts.chance(summary),
        groups=parts.voter_groups(summary),
        matrices=parts.matrices(summary),
        copies=parts.copies_grid(summary),
        doubts=parts.relabel_grid(summary),
        methods=parts.methods_grid(summary),
        classes=parts.class_scores_grid(summary),
        risk=words.risk_evidence(summary),
        figures=drawings(summary),
        notes=words.notes(summary),
    )
