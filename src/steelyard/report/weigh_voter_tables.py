"""Tables of a `weigh` report on agreement, judges against truth, class shares and slices."""

from steelyard.report.formats import (
    Results,
    count,
    interval,
    number,
    p_value,
    percent,
    percent_interval,
    shortened,
)
from steelyard.report.study_tables import Grid
from steelyard.report.weigh_tables import NAME, first_rows

COEFFICIENTS = {
    "observed": "Observed agreement",
    "krippendorff": "Krippendorff's alpha",
    "fleiss": "Fleiss' kappa",
    "cohen": "Cohen's kappa, mean of the pairs",
    "ac1": "Gwet's AC1",
}


def voter_grids(summary: Results) -> dict[str, Grid | None]:
    """Each table by name; None where the summary has nothing for it."""
    return {
        "agreement": _agreement(summary.get("agreement") or {}),
        "pairs": _pairs(summary),
        "class_counts": _class_counts(summary),
        "judges": _judges(summary),
        "rates": _rates(summary),
        "drop": _drop(summary.get("drop_voters") or {}),
        "class_shares": _class_shares(summary),
        "alternative": _alternative(summary),
        "position": _position(summary),
        "slices": _slices(summary),
    }


def _agreement(part: Results) -> Grid | None:
    rows = [
        (title, interval(part.get(key))) for key, title in COEFFICIENTS.items() if part.get(key)
    ]
    return first_rows(("coefficient", "value [95 % interval]"), rows, 1)


def _pairs(summary: Results) -> Grid | None:
    rows = [
        (
            shortened(pair.get("left"), NAME),
            shortened(pair.get("right"), NAME),
            count(pair.get("items")),
            interval(pair.get("agree"), 2),
            interval(pair.get("kappa"), 2),
        )
        for pair in summary.get("pairs") or ()
    ]
    return first_rows(("voter", "and voter", "items in common", "agree", "Cohen's kappa"), rows, 2)


def _class_counts(summary: Results) -> Grid | None:
    rows = [
        (
            shortened(row.get("name"), NAME),
            f"{count(row.get('votes'))} ({percent(row.get('share_of_votes'))})",
            f"{count(row.get('labels'))} ({percent(row.get('share_of_labels'))})",
        )
        for row in summary.get("class_counts") or ()
    ]
    return first_rows(("class", "votes", "labels"), rows, 1)


def _judges(summary: Results) -> Grid | None:
    judges = summary.get("judges") or ()
    on_scale = any(judge.get("distance") is not None for judge in judges)
    rows = [
        (
            shortened(judge.get("voter"), NAME),
            count(judge.get("items")),
            interval(judge.get("accuracy"), 2),
            interval(judge.get("kappa"), 2),
            *([number(judge.get("distance"), 2)] if on_scale else []),
        )
        for judge in judges
    ]
    header = ("voter", "items", "accuracy", "kappa", *(["mean distance"] if on_scale else []))
    return first_rows(header, rows, 1)


def _rates(summary: Results) -> Grid | None:
    rows = [
        (
            shortened(judge.get("voter"), NAME),
            shortened(rates.get("name"), NAME),
            interval(rates.get("sensitivity"), 2),
            interval(rates.get("specificity"), 2),
            interval(rates.get("precision"), 2),
        )
        for judge in summary.get("judges") or ()
        for rates in judge.get("classes") or ()
    ]
    return first_rows(("voter", "class", "sensitivity", "specificity", "precision"), rows, 2)


def _drop(part: Results) -> Grid | None:
    rows = [
        (
            shortened(row.get("voter"), NAME),
            percent(row.get("changed")),
            number(row.get("accuracy")),
            interval(row.get("difference")),
        )
        for row in part.get("voters") or ()
    ]
    return first_rows(
        ("without", "labels that change", "label accuracy", "gain in accuracy"), rows, 1
    )


def _class_shares(summary: Results) -> Grid | None:
    rows = [
        (
            shortened(source.get("voter"), NAME) if source.get("voter") else "the labels",
            shortened(row.get("name"), NAME),
            percent(row.get("raw"), 1),
            *(percent_interval(row.get(key)) for key in ("ppi", "rogan_gladen", "truth")),
        )
        for source in summary.get("class_shares") or ()
        for row in source.get("classes") or ()
    ]
    header = ("by", "class", "share", "corrected (PPI++)", "Rogan-Gladen", "known labels alone")
    return first_rows(header, rows, 2)


def _alternative(summary: Results) -> Grid | None:
    rows = [
        (
            shortened(test.get("voter"), NAME),
            number(test.get("epsilon"), 2),
            number(test.get("winning_rate"), 2),
            number(test.get("advantage"), 2),
            "yes" if test.get("passes") else "no",
            p_value(max((person.get("p") for person in test.get("people") or ()), default=None)),
        )
        for test in summary.get("alternative_annotator") or ()
    ]
    header = ("model", "epsilon", "winning rate", "advantage", "may replace", "largest p")
    return first_rows(header, rows, 1)


def _position(summary: Results) -> Grid | None:
    rows = [
        (
            shortened(row.get("voter"), NAME),
            shortened(row.get("template"), NAME) if row.get("template") else "all",
            count(row.get("items")),
            percent_interval(row.get("flipped")),
            percent_interval(row.get("first_shown")),
        )
        for row in summary.get("position_bias") or ()
    ]
    header = ("voter", "prompt", "items", "answers that flip", "name the first shown")
    return first_rows(header, rows, 2)


def _slices(summary: Results) -> Grid | None:
    rows = [
        (
            shortened(row.get("name"), NAME),
            count(row.get("items")),
            count(row.get("votes")),
            number(row.get("score")),
            interval(row.get("krippendorff"), 2),
            interval(row.get("accuracy"), 2),
        )
        for row in summary.get("slices") or ()
    ]
    header = ("slice", "items", "votes", "mean score", "Krippendorff's alpha", "label accuracy")
    return first_rows(header, rows, 1)
