"""The table of a study: one list of rows for the terminal, Markdown and the page."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelyard.report.formats import (
    Results,
    amount,
    count,
    defined,
    difference,
    interval,
    number,
    p_value,
    percent,
    percent_interval,
    plain,
    shortened,
    signed,
)

if TYPE_CHECKING:
    import rich.console
    import rich.table

GROUPS = {
    "floor": "Floor",
    "arm": "Arms",
    "control": "Controls",
    "oracle": "Oracle",
    "conflict": "Drawn away from the truth",
    "reference": "References",
    "ceiling": "Ceiling",
}
"""Roles of rows, in the order of the table, with the heading of each."""

HEADER = ("arm", "score", "PGR", "difference from naive", "kept", "label accuracy", "steps")


@dataclass(frozen=True)
class Row:
    """One line of the table. Spans are mappings with `value`, `low`, `high`; None is undefined."""

    name: str
    role: str  # a key of GROUPS
    description: str
    score: Results | None
    pgr: Results | None = None
    pgr_reason: str = ""
    vs_naive: Results | None = None
    vs_control: Results | None = None  # with `control`, the name of the arm's own control
    kept: float | None = None  # share of the rows, in [0, 1], mean over seeds
    label_accuracy: float | None = None  # of the labels trained on, mean over seeds
    steps: float | None = None  # of training, mean over seeds
    seed_scores: tuple[float, ...] = ()

    @property
    def is_arm(self) -> bool:
        """Whether PGR and the other columns of a student taught weak labels apply."""
        return self.role not in ("floor", "reference", "ceiling")


def summary_rows(results: Results) -> list[Row]:
    """Rows in the order of GROUPS; those of one role as in the file."""
    rows = [
        _reference("weak supervisors", "floor", results.get("weak")),
        _best_supervisor(results),
        _reference("weak ensemble", "floor", results.get("weak_ensemble")),
        *(_arm(name, arm) for name, arm in (results.get("arms") or {}).items()),
        *(
            _arm(name, part, "reference")
            for name, part in (results.get("references") or {}).items()
        ),
        _reference("ceiling", "ceiling", results.get("ceiling")),
    ]
    order = list(GROUPS)
    present = [row for row in rows if row is not None]
    return sorted(present, key=lambda row: order.index(row.role))


REFERENCES = {
    "weak supervisors": "One weak supervisor alone, on the test questions; a mean where there are "
    "several to choose from.",
    "weak ensemble": "The majority of all their votes, on the test questions.",
    "ceiling": "The same student, trained on the truth.",
}


def _reference(name: str, role: str, span: Results | None) -> Row | None:
    if not span:
        return None
    return Row(
        name,
        role,
        REFERENCES[name] + _length(span),
        span,
        steps=_mean(_numbers(span.get("steps"))),
        seed_scores=_numbers(span.get("seeds")),
    )


def _length(span: Results) -> str:
    """How long the ceiling is trained, and what it was chosen by."""
    if not span.get("epochs"):
        return ""
    tried = ", ".join(f"{count(n)}: {number(score)}" for n, score in span.get("tried") or ())
    chosen = f", chosen by the score on held-out rows of strong_train ({tried})" if tried else ""
    return f" Trained for {amount(span['epochs'], 'epoch')}{chosen}."


def _best_supervisor(results: Results) -> Row | None:
    """The best single supervisor, where there are several and one was chosen."""
    best = results.get("weak_best")
    if not best or len(results.get("supervisors") or ()) < 2:
        return None
    text = f"{plain(best['name'])}, the best one on held-out rows of weak_train."
    return Row("best supervisor", "floor", text, best, seed_scores=_numbers(best.get("seeds")))


def _arm(name: str, arm: Results, group: str | None = None) -> Row:
    role = group or arm.get("role")
    seeds: list[Results] = arm.get("seeds") or []
    return Row(
        name=plain(name),
        role=role if role in ("control", "oracle", "conflict", "reference") else "arm",
        description=plain(arm.get("description") or "") + _through(arm),
        score=arm.get("score"),
        pgr=arm.get("pgr"),
        pgr_reason=plain(arm.get("pgr_reason") or arm.get("reason") or ""),
        vs_naive=arm.get("vs_naive"),
        vs_control=arm.get("vs_control"),
        kept=_mean(kept_share(seed) for seed in seeds),
        label_accuracy=_mean(defined(seed.get("label_accuracy")) for seed in seeds),
        steps=_mean(defined(seed.get("steps")) for seed in seeds),
        seed_scores=_numbers(seed.get("score") for seed in seeds),
    )


def _through(arm: Results) -> str:
    """The middle students of an arm, each with how many of its labels are right."""
    middle = [
        f"{plain(part['student'])} ({percent(part['label_accuracy'], 1)} of its labels right)"
        for part in arm.get("through") or ()
    ]
    return f" Through {', then '.join(middle)}." if middle else ""


def kept_share(seed: Results) -> float | None:
    """Share of rows kept, from a share or, where `kept` is above 1, from a number of `rows`."""
    kept, rows = defined(seed.get("kept")), defined(seed.get("rows"))
    if kept is None or (kept <= 1 and isinstance(seed["kept"], float)):
        return kept
    return kept / rows if rows else None


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def _numbers(values: Iterable[Any] | None) -> tuple[float, ...]:
    present = (defined(value) for value in values or ())
    return tuple(value for value in present if value is not None)


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, one for each of HEADER; empty where a column does not apply."""
    steps = "" if row.steps is None else count(round(row.steps))
    if not row.is_arm:
        pgr = percent_interval(row.pgr) if row.role == "reference" else ""
        return (row.name, interval(row.score), pgr, "", "", "", steps)
    naive = difference(row.vs_naive) if row.vs_naive else ""
    return (
        row.name,
        interval(row.score),
        percent_interval(row.pgr),
        naive,
        percent(row.kept),
        number(row.label_accuracy),
        steps,
    )


def reasons(rows: list[Row]) -> list[tuple[str, str]]:
    """Why arms have no PGR: (arms, reason), one for each different reason."""
    arms: dict[str, list[str]] = {}
    for row in rows:
        if row.pgr is None and row.pgr_reason:
            arms.setdefault(row.pgr_reason, []).append(row.name)
    return [(", ".join(names), reason) for reason, names in arms.items()]


TERMINAL_HEADER = ("arm", "score", "PGR", "vs naive", "kept", "label acc.")
NAME_WIDTHS = (22, 14)
"""Columns of an arm's name: at most, and at least."""


def terminal_table(results: Results, columns: int = 100) -> "rich.console.RenderableType":
    """The table for a terminal; text from data is not read as markup.

    Arm, score and PGR are kept on every terminal: what does not fit is dropped from the right, and
    below about 50 columns each arm is a block of lines.

    Args:
        results: of a study.
        columns: width of the terminal.
    """
    from rich.text import Text

    rows = summary_rows(results)
    texts = [_terminal_cells(row) for row in rows]
    widths = [
        max(len(heading), *(len(row[column]) for row in texts))
        for column, heading in enumerate(TERMINAL_HEADER)
    ]
    name_width, shown = _fitting(widths, columns)
    if shown < 3:
        return Text("\n".join([_title(results), *_blocks(texts)]))
    return _grid(_title(results), rows, texts, name_width, shown)


def _terminal_cells(row: Row) -> list[str]:
    texts = list(cells(row))
    texts[0] = row.name
    texts[3] = _short_difference(row.vs_naive)
    return texts


def _fitting(widths: list[int], columns: int) -> tuple[int, int]:
    """Width of the arms' names, and how many columns of the table fit beside them."""
    widest, narrowest = (min(widths[0], width) for width in NAME_WIDTHS)
    for shown in range(len(widths), 0, -1):
        free = columns - 3 - sum(width + 2 for width in widths[1:shown])
        if free >= (narrowest if shown <= 3 else widest):
            return min(free, widest), shown
    return narrowest, 0


def _grid(
    title: str, rows: list[Row], texts: list[list[str]], name_width: int, shown: int
) -> "rich.table.Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column, heading in enumerate(TERMINAL_HEADER[:shown]):
        table.add_column(heading, justify="left" if column == 0 else "right", no_wrap=True)
    for row, cells_of_row, following in zip(rows, texts, [*rows[1:], None], strict=True):
        ends = following is None or following.role != row.role
        name = shortened(row.name, name_width)
        style = "dim" if row.role == "control" else None
        table.add_row(*map(Text, (name, *cells_of_row[1:shown])), style=style, end_section=ends)
    return table


def _blocks(texts: list[list[str]]) -> list[str]:
    """Arms below each other, for a terminal in which no table fits."""
    lines = []
    for name, score, pgr, *_ in texts:
        lines += ["", name, f"  score {score}"]
        lines += [f"  PGR   {pgr}"] if pgr else []
    return lines


def _title(results: Results) -> str:
    study, metric = (shortened(results.get(key) or "?") for key in ("study", "metric"))
    seeds = f", {amount(len(results['seeds']), 'seed')}" if results.get("seeds") else ""
    direction = " (lower is better)" if results.get("lower_is_better") else ""
    return f"{study}: {metric}{direction} with 95 % intervals{seeds}"


def _short_difference(versus: Results | None) -> str:
    if not versus or defined(versus.get("difference")) is None:
        return ""
    p = versus.get("p") if defined(versus.get("p_holm")) is None else versus["p_holm"]
    return f"{signed(versus['difference'])} {p_value(p).replace(' ', '')}"
