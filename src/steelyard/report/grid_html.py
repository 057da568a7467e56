"""The report of a grid of weak supervisors and students as one HTML page."""

from steelyard.report.charts import Figure
from steelyard.report.formats import Results, amount, interval, percent_interval, plain, seconds
from steelyard.report.grid_figures import GAPS, SCORES, grid_figure, main_arms
from steelyard.report.study_html import template
from steelyard.report.study_tables import Grid, make_grid


def grid_page(results: Results) -> str:
    """The complete report of a grid. The same results give the same bytes.

    Args:
        results: the content of grid.json.
    """
    return template("grid.html.j2").render(
        results=results,
        headline=grid_headline(results),
        facts=_facts(results),
        scores=scores_grid(results),
        gaps=gaps_grid(results),
        figures=_figures(results),
        arms=main_arms(results),
        reasons=_reasons(results),
    )


def grid_headline(results: Results) -> str:
    """The pair and arm with the highest PGR, or that there is none."""
    gaps = [
        (arm["pgr"]["value"], name, pair)
        for pair in results["pairs"]
        for name, arm in pair["arms"].items()
        if name in main_arms(results) and arm["pgr"]
    ]
    if not gaps:
        return "The gap recovered is not known for any pair."
    _, name, pair = max(gaps, key=lambda gap: gap[0])
    shown = percent_interval(pair["arms"][name]["pgr"])
    return (
        f"The highest gap recovered is {shown}, by `{name}` with {pair['weak']} as weak supervisor "
        f"of {pair['student']}."
    )


def scores_grid(results: Results) -> Grid | None:
    """Floor, arms and ceiling of each pair, scores with their intervals."""
    arms = main_arms(results)
    rows = (
        (
            *_names(pair),
            interval(pair["floor"]),
            *(interval((pair["arms"].get(name) or {}).get("score")) for name in arms),
            interval(pair["ceiling"]),
        )
        for pair in results["pairs"]
    )
    header = ("weak supervisor", "student", "floor", *map(plain, arms), "ceiling")
    return make_grid(header, rows, text_columns=2)


def gaps_grid(results: Results) -> Grid | None:
    """PGR of each pair and arm, with its interval."""
    arms = main_arms(results)
    rows = (
        (
            *_names(pair),
            *(percent_interval((pair["arms"].get(name) or {}).get("pgr")) for name in arms),
        )
        for pair in results["pairs"]
    )
    return make_grid(("weak supervisor", "student", *map(plain, arms)), rows, text_columns=2)


def _names(pair: Results) -> tuple[str, str]:
    return plain(pair["weak"]), plain(pair["student"])


def _figures(results: Results) -> dict[str, Figure]:
    made = (
        grid_figure(results, name, what) for name in main_arms(results) for what in (GAPS, SCORES)
    )
    return {figure.name: figure for figure in made if figure is not None}


def _facts(results: Results) -> str:
    costs = results["costs"]
    parts = [
        amount(len(results["weak"]), "weak supervisor"),
        amount(len(results["students"]), "student"),
        amount(len(results["seeds"]), "seed"),
        f"{amount(costs['trainings'], 'training')}, {costs['shared']} more shared between pairs",
        f"{seconds(results['seconds'])} from start to end",
    ]
    return f"A grid of {', '.join(parts)}; scored by {plain(results['metric'])}."


def _reasons(results: Results) -> list[tuple[str, str]]:
    """Why main arms have no PGR: (pairs and arms, reason), one for each different reason."""
    places: dict[str, list[str]] = {}
    for pair in results["pairs"]:
        for name in main_arms(results):
            arm = pair["arms"].get(name) or {}
            if arm and not arm["pgr"] and arm["pgr_reason"]:
                places.setdefault(plain(arm["pgr_reason"]), []).append(f"{pair['folder']} {name}")
    return [(", ".join(names), reason) for reason, names in places.items()]
