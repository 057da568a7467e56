"""The gold curve of a study's report: how many true labels are worth as much as the weak ones."""

from math import log1p

from steelyard.report.charts import BROAD, NARROW, Figure, Point, series_of
from steelyard.report.formats import Results, amount, count, defined, interval, plain
from steelyard.report.score_figures import ends_of, line_chart
from steelyard.report.study_tables import Grid, make_grid

MAJORITY = "majority"


def gold_grid(results: Results) -> Grid | None:
    """Score of the student by the number of true labels that it is trained on."""
    rows = []
    for point in (results.get("gold_curve") or {}).get("points") or ():
        steps = [seed["steps"] for seed in point["seeds"] if seed.get("steps") is not None]
        shown = interval(point["score"]) if point["score"] else plain(point["reason"] or "n/a")
        rows.append(
            (count(point["rows"]), shown, count(round(sum(steps) / len(steps))) if steps else "")
        )
    return make_grid(("true labels", "score", "steps"), rows)


def gold_sentence(results: Results, best: str) -> str:
    """How many true labels are worth as much as the majority's labels, and the best arm's.

    Empty without a gold curve.
    """
    worth: Results = (results.get("gold_curve") or {}).get("worth") or {}
    parts = [
        f"{plain(name)} {_worth(worth[name])}"
        for name in dict.fromkeys((MAJORITY, best))
        if name in worth
    ]
    return f"What true labels are worth as much: {', '.join(parts)}." if parts else ""


def gold_figure(results: Results, best: str) -> Figure | None:
    """The gold curve, with the scores of the majority and the best arm as level lines."""
    points: list[Point] = []
    ticks = []
    for point in (results.get("gold_curve") or {}).get("points") or ():
        if point["score"]:
            points.append((log1p(point["rows"]), float(point["score"]["value"])))
            ticks.append((points[-1][0], count(point["rows"])))
    if len(points) < 2:
        return None
    lines = {"true labels alone": points}
    for name in dict.fromkeys((MAJORITY, best)):
        score = ((results.get("arms") or {}).get(name) or {}).get("score") or {}
        if (value := defined(score.get("value"))) is not None:
            lines[plain(name)] = [(points[0][0], value), (points[-1][0], value)]
    series = series_of(lines)
    metric = plain(results.get("metric") or "score")
    caption = (
        f"Score ({metric}) of the student by the number of true labels that it learns. Where "
        "the curve crosses a level line, so many true labels are worth as much as that arm's weak "
        "ones."
    )
    label = f"Score by the number of true labels. {ends_of(series)}"
    narrow, broad = (
        line_chart(series, width, ("true labels", metric), label, ticks=ticks)
        for width in (NARROW, BROAD)
    )
    return Figure("gold", caption, narrow, broad, tuple(series))


def _worth(worth: Results) -> str:
    rows, low, high = worth.get("rows"), worth["at_least"], worth.get("at_most")
    if rows is not None:
        return f"about {amount(round(rows), 'true label')}"
    if high is None:
        return f"more than {count(low)} true labels"
    return "fewer than 1" if high == 0 else f"at most {amount(high, 'true label')}"
