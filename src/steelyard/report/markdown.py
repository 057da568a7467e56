"""The report as Markdown: for issues, notebooks and the terminal."""

import re
from collections.abc import Iterable

from steelyard.report import label_tables as labels
from steelyard.report import study_statistics as statistics
from steelyard.report import study_tables as tables
from steelyard.report import task_tables as tasks
from steelyard.report.formats import Results, plain
from steelyard.report.glossary import GLOSSARY
from steelyard.report.gold_curve import gold_grid
from steelyard.report.recommendation import recommendation_grid
from steelyard.report.study_sentences import study_headline, study_notes
from steelyard.report.study_tables import Grid
from steelyard.report.tables import HEADER, cells, reasons, summary_rows


def study_markdown(results: Results) -> str:
    """The complete report; text from data is escaped, so that it cannot become markup."""
    blocks = [
        f"# {escape_markdown(results.get('study') or 'Unnamed study')}",
        f"**{escape_markdown(study_headline(results))}**",
        _items(note.text for note in study_notes(results)),
        *_section("Warnings", _items(results.get("warnings") or ())),
        *_section("What was run", escape_markdown(tables.run_sentence(results))),
        *_section("Scores", _scores(results), _reasons(results)),
        *_section("Recommendation", _table(recommendation_grid(results))),
        *_section(
            "PGR by metric",
            _table(tasks.pgr_by_metric_grid(results)),
            _items(tasks.pgr_reasons(results)),
        ),
        *_section("True labels", _table(gold_grid(results))),
        *_section("Seed by seed", _table(statistics.seed_scores_grid(results))),
        *_section("Comparisons", _table(statistics.comparisons_grid(results))),
        *_section("Errors of the supervisors", _table(statistics.imitation_grid(results))),
        *_section(
            "Where the ceiling knows better",
            escape_markdown(tasks.deception_sentence(results)),
            _table(tasks.deception_grid(results)),
        ),
        *_section("Other test sets", *_named(tasks.test_set_grids(results))),
        *_section("Other tasks", *_named(tasks.off_task_grids(results))),
        *_section(
            "At a chosen threshold",
            escape_markdown(tasks.threshold_sentence(results)),
            *_named(tasks.threshold_grids(results)),
        ),
        *_section("Slices", *_named(tasks.slice_grids(results))),
        *_section("Votes", escape_markdown(tables.votes_sentence(results))),
        *_section(
            "Reliability",
            _table(labels.reliability_grid(results)),
            _table(labels.labels_grid(results)),
        ),
        *_section("Uncertainty of the students", _table(labels.uncertainty_grid(results))),
        *_section("Other metrics", *_named(tables.metric_grids(results))),
        *_section(
            "Data",
            _table(tables.splits_grid(results)),
            _table(tables.classes_grid(results)),
            escape_markdown(tables.leaks_sentence(results)),
        ),
        *_section(
            "Costs",
            escape_markdown(tables.costs_sentence(results)),
            _table(tables.costs_grid(results)),
        ),
        *_section("Environment", _table(tables.environment_grid(results))),
        *_section("How to reproduce", *_reproduce(results)),
        *_section("How to read", _glossary()),
        f"Made by Steelyard {escape_markdown(results.get('steelyard') or '')}".strip() + ".",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escape_markdown(text: object) -> str:
    """Text from data that Markdown shows unchanged, on one line, also inside a table.

    Brackets are not escaped where they cannot make a link, so that intervals can be read.

    >>> print(escape_markdown("a|b <i>, 0.81 [0.79, 0.83], [x](y)"))
    a\\|b &lt;i&gt;, 0.81 [0.79, 0.83], [x\\](y)
    """
    line = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*|~$]|\](?=[(\[:])|\[(?=\^))", r"\\\1", line)
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)  # inside a word it is only itself
    line = re.sub(r"^(#|[-+](?=[\s-]|$))", r"\\\1", line)  # headings, lists and rules
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)  # numbered lists


def code(text: object) -> str:
    """Text from data in a fenced block, with a fence longer than any inside it."""
    lines = "\n".join(map(plain, str(text).splitlines()))
    longest = max((len(run) for run in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{lines}\n{fence}"


def _section(title: str, *blocks: str) -> list[str]:
    filled = [block for block in blocks if block]
    return [f"## {title}", *filled] if filled else []


def _items(texts: Iterable[object]) -> str:
    return "\n".join(f"- {escape_markdown(text)}" for text in texts)


def _scores(results: Results) -> str:
    rows = tuple(
        (name, row.role, *texts) for row in summary_rows(results) for name, *texts in (cells(row),)
    )
    return _table(Grid((HEADER[0], "role", *HEADER[1:]), rows, text_columns=2))


def _reasons(results: Results) -> str:
    return _items(f"No PGR for {names}: {why}" for names, why in reasons(summary_rows(results)))


def _named(grids: dict[str, Grid]) -> list[str]:
    return [
        block
        for name, grid in grids.items()
        for block in (f"### {escape_markdown(name)}", _table(grid))
    ]


def _table(grid: Grid | None) -> str:
    if grid is None:
        return ""
    columns = range(len(grid.header))
    rule = ("---" if column < grid.text_columns else "---:" for column in columns)
    lines = [_line(grid.header), f"| {' | '.join(rule)} |"]
    return "\n".join([*lines, *map(_line, grid.rows)])


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(map(escape_markdown, texts))} |"


def _reproduce(results: Results) -> list[str]:
    how = results.get("reproduce") or {}
    lock = how.get("lock")
    return [
        code(how["command"]) if how.get("command") else "",
        f"Resolved settings: {escape_markdown(lock)}." if lock else "",
    ]


def _glossary() -> str:
    return "\n".join(f"- **{term}**: {meaning}" for term, meaning in GLOSSARY.items())
