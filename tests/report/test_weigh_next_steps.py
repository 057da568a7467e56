"""What to do next, in sentences that are printed only where they are true."""

from typing import Any

from steelyard.report.weigh_next_steps import next_steps
from steelyard.report.weigh_voter_tables import voter_grids


def span(value: float, half: float = 0.02) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def best(difference: float, half: float) -> dict[str, Any]:
    return {
        **{"voter": "gpt", "items": 400, "accuracy": 0.8, "labels_accuracy": 0.8 + difference},
        "difference": span(difference, half),
    }


def forecast(**goal: Any) -> dict[str, Any]:
    nearest = {"goal": 0.95, "votes": 338, "low": 204, "high": 911, **goal}
    return {"judged_by": "truth", "now": 0.932, "limit": 0.97, "goals": [nearest]}


def test_an_old_summary_has_no_steps_and_no_tables() -> None:
    assert next_steps({}) == []
    assert not any(voter_grids({}).values())


def test_items_that_would_gain() -> None:
    summary = {"relabel_items": 12, "items": 800}
    assert next_steps(summary) == ["12 of 800 items would gain from one more vote."]


def test_votes_until_the_goal() -> None:
    assert next_steps({"forecast": forecast()}) == [
        "About 340 more votes for 95.0 % right labels (200 to 910; now 93.2 %), spread evenly over "
        "the items."
    ]
    assert "(200 or more; now" in next_steps({"forecast": forecast(high=None)})[0]
    never = next_steps({"forecast": forecast(votes=None, high=None, low=9000)})[0]
    assert "need at least 9,000 more votes" in never
    assert "levels off near 97 %" in never


def test_a_forecast_of_the_labels_by_themselves_is_not_printed() -> None:
    assert next_steps({"forecast": {**forecast(), "judged_by": "labels"}}) == []
    assert next_steps({"forecast": {**forecast(), "goals": []}}) == []


def test_the_best_voter_is_named_where_it_does_as_well() -> None:
    assert "does as well as the labels" in next_steps({"best_voter": best(0.0, 0.02)})[0]
    assert "is better than the labels" in next_steps({"best_voter": best(-0.1, 0.02)})[0]
    assert "does as well as the labels" in next_steps({"best_voter": best(-0.01, 0.02)})[0]
    assert next_steps({"best_voter": best(0.03, 0.05)}) == []


def test_the_voter_to_drop() -> None:
    entry = {"voter": "bad", "changed": 0.1, "accuracy": 0.9, "difference": span(0.05)}
    assert next_steps({"drop_voters": {"items": 9, "voters": [entry]}}) == [
        "Without bad the labels are better by 0.050 [0.030, 0.070]."
    ]
    entry["difference"] = span(0.01)
    sentence = next_steps({"drop_voters": {"items": 9, "voters": [entry]}})[0]
    assert sentence == "Dropping no single voter is shown to make the labels better."


def test_effective_voters_are_said_where_fewer() -> None:
    few = {"voters_per_item": 6.0, "effective": span(2.1), "judged_by": "truth"}
    assert next_steps({"effective_voters": few}) == [
        "The 6 votes of an item are worth those of 2.1 independent voters."
    ]
    assert next_steps({"effective_voters": {**few, "effective": span(5.8)}}) == []
