"""The figures of a `weigh` report: how good the scores are, and how far the voters agree."""

from steelyard.report.charts import (
    BLUE,
    NARROW,
    ORANGE,
    Axes,
    Figure,
    Scale,
    Series,
    figure_svg,
    nice_ticks,
    rectangle,
)
from steelyard.report.formats import Results, defined, number, percent
from steelyard.report.score_figures import calibration, risk_coverage

HEIGHT = 250


def weigh_figures(summary: Results) -> dict[str, Figure]:
    """Every figure that the summary allows, by name."""
    methods = summary.get("methods") or {}
    figures = (calibration(methods), risk_coverage(methods), entropies(summary))
    return {figure.name: figure for figure in figures if figure is not None}


def entropies(summary: Results) -> Figure | None:
    """Share of the items, and label accuracy, by entropy of the votes."""
    rows = [
        (entropy, share, defined(row.get("accuracy")))
        for row in summary.get("entropy_bins") or ()
        if (entropy := defined(row.get("entropy"))) is not None
        and (share := defined(row.get("share"))) is not None
    ]
    if not rows:
        return None
    has_truth = any(accuracy is not None for *_, accuracy in rows)
    top = 1.0 if has_truth else min(1.0, 1.1 * max(share for _, share, _ in rows))
    axes = Axes(Scale(0, len(rows), 60, NARROW - 14), Scale(0, top or 1.0, HEIGHT - 42, 10))
    body = axes.y_axis(nice_ticks(0, top or 1.0))
    body += axes.x_axis(
        [(i + 0.5, number(entropy, 2)) for i, (entropy, *_) in enumerate(rows)],
        "entropy of the votes, nats",
    )
    for i, (_, share, accuracy) in enumerate(rows):
        corners = (axes.x(i + 0.14), axes.y(share)), (axes.x(i + 0.86), axes.y(0))
        body += rectangle(*corners, BLUE, 0.75)
        if accuracy is not None:
            body += axes.dot((i + 0.5, accuracy), 4.5, ORANGE)
    caption = "Items by entropy of their votes; 0 means that all agree. Bars: share of the items"
    caption += "; dots: label accuracy." if has_truth else "."
    label = "; ".join(
        f"entropy {number(entropy, 2)}: {percent(share)} of the items"
        + (f", {percent(accuracy)} of their labels right" if accuracy is not None else "")
        for entropy, share, accuracy in rows
    )
    svg = figure_svg((NARROW, HEIGHT), f"{caption} {label}", body)
    names = ["share of the items", *(["label accuracy"] if has_truth else [])]
    legend = tuple(
        Series((name,), (), colour, "") for name, colour in zip(names, (BLUE, ORANGE), strict=False)
    )
    return Figure("entropy", caption, svg, legend=legend)
