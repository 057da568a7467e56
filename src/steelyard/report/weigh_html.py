"""The page of `steelyard weigh`: which voters to trust, how good the labels are."""

from steelyard.report import weigh_sentences as sentences
from steelyard.report import weigh_tables as tables
from steelyard.report.formats import Results, count
from steelyard.report.study_html import template
from steelyard.report.weigh_figures import weigh_figures
from steelyard.report.weigh_next_steps import next_steps
from steelyard.report.weigh_voter_tables import voter_grids


def weigh_page(summary: Results) -> str:
    """The page: works offline, without scripts, in light and dark.

    Names of voters, examples and classes are escaped by the template. The same summary gives the
    same bytes.
    """
    return template("weigh.html.j2").render(
        summary=summary,
        title=sentences.title(summary),
        headline=sentences.weigh_headline(summary),
        notes=sentences.weigh_notes(summary),
        facts=sentences.facts(summary),
        truth_items=count((summary.get("truth") or {}).get("items")),
        chance=tables.chance(summary),
        groups=tables.voter_groups(summary),
        matrices=tables.matrices(summary),
        copies=tables.copies_grid(summary),
        relabel=tables.relabel_grid(summary),
        methods=tables.methods_grid(summary),
        classes=tables.class_scores_grid(summary),
        risk=sentences.risk_evidence(summary),
        figures=weigh_figures(summary),
        steps=next_steps(summary),
        grids=voter_grids(summary),
        glossary=sentences.glossary(summary),
    )
