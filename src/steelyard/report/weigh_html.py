"""The page of `steelyard weigh`: which voters to trust, how good the labels are."""

import base64
import hashlib
import json

from steelyard.report import weigh_sentences as sentences
from steelyard.report import weigh_tables as tables
from steelyard.report.formats import Results, count, number, plain
from steelyard.report.study_html import read_text, template
from steelyard.report.weigh_figures import weigh_figures
from steelyard.report.weigh_next_steps import next_steps
from steelyard.report.weigh_verdict import verdict
from steelyard.report.weigh_voter_tables import voter_grids

WITHOUT_SCRIPT = 25
"""Items in the table that stands on the page as it is."""


def weigh_page(summary: Results, items: Results | None = None) -> str:
    """The page: one file, works offline, in light and dark; without scripts all but the browsing.

    Names of voters, examples and classes are escaped by the template, and data for the script stand
    in a block that is no script. The same summary and items give the same bytes.
    """
    script = read_text("weigh.js")
    return template("weigh.html.j2").render(
        summary=summary,
        verdict=verdict(summary),
        other_warnings=sentences.other_warnings(summary),
        items=item_rows(items),
        shown_items=sentences.shown_items(items),
        data=embedded(items),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
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


def embedded(items: Results | None) -> str:
    """The items as JSON for a block of the page, from which no text can break out."""
    if not items:
        return ""
    shown = dict(items)
    for name in ("voters", "classes", "id", "slices"):
        if name in shown:
            shown[name] = list(map(plain, shown[name]))
    if "answers" in shown:
        shown["answers"] = [list(map(plain, answers)) for answers in shown["answers"]]
    if "text" in shown:
        shown["text"] = ["\n".join(map(plain, text.splitlines())) for text in shown["text"]]
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def item_rows(items: Results | None) -> list[tuple[str, str, str, str]]:
    """Id, text, label and score of the first items, for readers without scripts."""
    if not items:
        return []
    names = items.get("classes") or []
    rows = []
    for i in range(min(WITHOUT_SCRIPT, len(items["id"]))):
        answers, label = names or items["answers"][i], items["label"][i]
        text = plain(items["text"][i]) if "text" in items else ""
        name = plain(answers[label]) if label >= 0 else ""
        rows.append((plain(items["id"][i]), text, name, number(items["score"][i])))
    return rows
