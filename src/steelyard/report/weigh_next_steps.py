"""What to do next, in sentences: label again, ask more, drop a voter, take the best one alone."""

from steelyard.report.formats import Results, amount, count, defined, number, percent, plain

SAME = 0.005
"""Difference of two accuracies up to which one does as well as the other."""


def next_steps(summary: Results) -> list[str]:
    """The sentences that apply, the most useful first."""
    sentences = (
        _best_voter(summary.get("best_voter")),
        drop_sentence(summary.get("drop_voters")),
        relabel_sentence(summary),
        forecast_sentence(summary.get("forecast")),
        _effective(summary.get("effective_voters")),
    )
    return [sentence for sentence in sentences if sentence]


def relabel_sentence(summary: Results) -> str:
    """How many items would gain from one more vote; empty where it is unknown."""
    number_of_items = defined(summary.get("relabel_items"))
    if number_of_items is None:
        return ""
    verb = "would gain from one more vote"
    return f"{count(number_of_items)} of {amount(summary.get('items'), 'item')} {verb}."


def forecast_sentence(forecast: Results | None) -> str:
    """How many more votes the nearest goal needs; empty where only the votes themselves judge."""
    if not forecast or forecast.get("judged_by") != "truth" or not forecast.get("goals"):
        return ""
    nearest = forecast["goals"][0]
    goal, now = percent(nearest.get("goal"), 1), percent(forecast.get("now"), 1)
    if defined(nearest.get("votes")) is None:
        limit = percent(forecast.get("limit"), 0)
        least = "more votes than can be forecast"
        if nearest.get("low"):
            least = f"at least {rounded(nearest['low'])} more votes"
        return (
            f"{goal} right labels need {least}, spread evenly (now {now}; "
            f"the curve levels off near {limit})."
        )
    low, high = (rounded(nearest.get(key)) for key in ("low", "high"))
    between = f"{low} to {high}" if nearest.get("high") is not None else f"{low} or more"
    return (
        f"About {rounded(nearest['votes'])} more votes for {goal} right labels ({between}; "
        f"now {now}), spread evenly over the items."
    )


def rounded(value: object) -> str:
    """A number of votes to two digits.

    >>> rounded(338), rounded(12), rounded(12345)
    ('340', '12', '12,000')
    """
    votes = defined(value)
    if votes is None:
        return count(value)
    digits = max(0, len(str(int(votes))) - 2)
    return count(round(votes, -digits))


def _best_voter(best: Results | None) -> str:
    if not best:
        return ""
    gap = best.get("difference") or {}
    difference, low = defined(gap.get("value")), defined(gap.get("low"))
    if difference is None or low is None:
        return ""
    scores = (
        f"{number(best.get('accuracy'))} against {number(best.get('labels_accuracy'))} of the "
        f"labels, {amount(best.get('items'), 'item')}"
    )
    name = plain(best.get("voter"))
    if difference < -SAME and (defined(gap.get("high")) or 0) < 0:
        return f"The best single voter, {name}, is better than the labels ({scores})."
    if difference <= SAME:
        return f"The best single voter, {name}, does as well as the labels ({scores})."
    return ""


def drop_sentence(dropped: Results | None) -> str:
    """Whether the labels are better without a voter; empty where it is unknown."""
    if not dropped or not dropped.get("voters"):
        return ""
    first = dropped["voters"][0]
    gap = first.get("difference") or {}
    low = defined(gap.get("low"))
    if low is not None and low > 0:
        return (
            f"Without {plain(first.get('voter'))} the labels are better by "
            f"{number(gap.get('value'))} [{number(low)}, {number(gap.get('high'))}]."
        )
    return "Dropping no single voter is shown to make the labels better."


def _effective(effective: Results | None) -> str:
    if not effective:
        return ""
    span = effective.get("effective") or {}
    value, voters = defined(span.get("value")), defined(effective.get("voters_per_item"))
    if value is None or voters is None or value > 0.9 * voters:
        return ""
    by = "" if effective.get("judged_by") == "truth" else ", judged by the labels alone"
    return (
        f"The {count(round(voters, 1))} votes of an item are worth those of {number(value, 1)} "
        f"independent voters{by}."
    )
