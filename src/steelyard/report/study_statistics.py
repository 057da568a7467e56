"""Grids of the report about seeds and comparisons: each seed's score, what could be found."""

from steelyard.report.formats import (
    MISSING,
    Results,
    adjusted_p,
    count,
    defined,
    number,
    percent,
    plain,
    signed,
)
from steelyard.report.study_tables import Grid
from steelyard.report.tables import Row, summary_rows

VERSUS = {"vs_naive": "naive", "vs_majority": "majority", "vs_gold_only": "gold_only"}


def seed_scores_grid(results: Results) -> Grid | None:
    """The score of every model in every seed, with the worst one."""
    seeds = results.get("seeds") or []
    rows = [row for row in summary_rows(results) if row.seed_scores]
    if not rows:
        return None
    worst = max if results.get("lower_is_better") else min
    header = ("arm", *(f"seed {plain(seed)}" for seed in seeds), "worst")
    return Grid(header, tuple(_by_seed(results, row, len(seeds), worst) for row in rows))


def _by_seed(results: Results, row: Row, seeds: int, worst: object) -> tuple[str, ...]:
    arms = {plain(name): arm for name, arm in (results.get("arms") or {}).items()}
    arm = arms.get(row.name)
    values: list[float | None] = list(row.seed_scores)
    if arm is not None:  # a seed in which it was not trained has no score
        values = [defined(seed.get("score")) for seed in arm.get("seeds") or ()]
    texts = [*map(number, values), *[MISSING] * (seeds - len(values))][:seeds]
    return (row.name, *texts, number(worst(row.seed_scores)))  # type: ignore[operator]


def comparisons_grid(results: Results) -> Grid | None:
    """Every arm's paired differences: adjusted, with what could be found and what is ruled out."""
    header = (
        *("arm", "less", "difference", "95 % alone", "95 % all arms", "p"),
        *("detectable", "seeds needed", "equivalent within"),
    )
    rows = []
    for name, arm in (results.get("arms") or {}).items():
        control = arm.get("vs_control") or {}
        pairs = {**VERSUS, "vs_control": plain(control.get("control") or "its control")}
        for key, other in pairs.items():
            versus = arm.get(key)
            if arm.get("role") == "arm" and versus and "detectable" in versus:
                rows.append((plain(name), other, *_comparison(versus)))
    return Grid(header, tuple(rows), text_columns=2) if rows else None


def _comparison(versus: Results) -> tuple[str, ...]:
    together = versus.get("simultaneous")
    needed = versus.get("seeds_needed")
    return (
        signed(versus.get("difference")),
        _span(versus),
        _span(together) if together else "",
        adjusted_p(versus),
        number(versus.get("detectable")),
        MISSING if needed is None else count(needed),
        number(versus.get("within")),
    )


def _span(part: Results) -> str:
    return f"[{number(part.get('low'))}, {number(part.get('high'))}]"


def imitation_grid(results: Results) -> Grid | None:
    """Whose errors each student makes: inherited, corrected and new ones."""
    header = ("arm", "errors inherited", "errors corrected", "new errors")
    rows = tuple(
        (plain(name), *(percent(part.get(key)) for key in ("inherited", "corrected", "new")))
        for name, part in (results.get("imitation") or {}).items()
    )
    return Grid(header, rows) if rows else None
