"""The Markdown report is well formed, whatever the data say."""

import re
from typing import Any

import pytest

from steelyard.report import study_markdown
from steelyard.report.markdown import code, escape_markdown

Study = dict[str, Any]
HOSTILE = "<script>x</script> | pipe\nnew *b* [a](javascript:x) `c` \x1b[31m {{7*7}}"


def tables(text: str) -> list[list[str]]:
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [lines for lines in blocks if lines[0].startswith("| ")]


def columns(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def test_the_report_has_every_section(results: Study) -> None:
    text = study_markdown(results)
    titles = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert titles == [
        "Warnings",
        "What was run",
        "Scores",
        "Seed by seed",
        "Comparisons",
        "Votes",
        "Reliability",
        "Other metrics",
        "Data",
        "Costs",
        "Environment",
        "How to reproduce",
        "How to read",
    ]
    assert "| filter | arm | 0.762 [0.742, 0.783] | 57 % [31, 85] |" in text
    assert "```text\nsteelyard study safety.yaml\n```" in text


@pytest.mark.parametrize("name", ["filter", HOSTILE])
def test_every_line_of_a_table_has_as_many_columns(results: Study, name: str) -> None:
    results["arms"][name] = results["arms"].pop("filter")
    results["votes"]["by_voter"][0]["voter"] = results["study"] = name
    results["environment"][name] = name
    all_tables = tables(study_markdown(results))
    assert len(all_tables) >= 6
    for lines in all_tables:
        assert {columns(line) for line in lines} == {columns(lines[0])}
        assert re.fullmatch(r"\|( -{3}:? \|)+", lines[1])


def test_names_cannot_become_markup(results: Study) -> None:
    results["study"] = HOSTILE
    results["warnings"] = [HOSTILE]
    text = study_markdown(results)
    for part in ("<script>", "\x1b", " *b*", " `c`", "[a](javascript"):
        assert part not in text
    escaped = r"&lt;script&gt;x&lt;/script&gt; \| pipe new \*b\* [a\](javascript:x) \`c\` ␛[31m"
    assert f"# {escaped} {{{{7\\*7}}}}" in text
    assert f"- {escaped} {{{{7\\*7}}}}" in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("random_keep", "random_keep"),
        ("_lead_", r"\_lead\_"),
        ("0.81 [0.79, 0.83]", "0.81 [0.79, 0.83]"),
        ("-0.002 [x]", "-0.002 [x]"),
        ("# title", r"\# title"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("[a]: b", r"[a\]: b"),
        ("a\\|b", r"a\\\|b"),
    ],
)
def test_only_what_would_be_markup_is_escaped(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


def test_a_fence_inside_code_does_not_close_it() -> None:
    assert code("a\n```\nb") == "````text\na\n```\nb\n````"


def test_the_reason_for_no_pgr_is_given(results: Study) -> None:
    results["arms"]["majority"].update(pgr=None, pgr_reason="The ceiling is within noise.")
    assert "- No PGR for majority: The ceiling is within noise." in study_markdown(results)


@pytest.mark.parametrize(
    "key",
    [
        *("data", "weak", "ceiling", "weak_ensemble", "arms", "metrics", "votes", "reliability"),
        *("curves", "warnings", "costs", "reproduce", "seconds", "environment", "artifacts"),
        *("steelyard", "study", "task", "metric", "seeds"),
    ],
)
def test_a_missing_key_omits_its_section(results: Study, key: str) -> None:
    del results[key]
    text = study_markdown(results)
    assert "## Scores" in text
    assert "None" not in text
    assert "0 seeds" not in text
