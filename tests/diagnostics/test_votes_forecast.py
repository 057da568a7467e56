"""Forecasts of votes: the curve recovers itself, and replays on crowds are near."""

import numpy as np
import pytest

from crowds import crowd
from real_votes import read_nested
from shared_data import DATA
from steelyard.diagnostics.votes_forecast import (
    VotesCurve,
    fit_curve,
    forecast_votes,
    votes_until,
)
from steelyard.reliability import Hierarchical, Majority
from steelyard.selection.label_and_ties import leading_answers
from steelyard.types import ABSTAIN, Ints, Reliability, Votes
from steelyard.types.arrays import random_choice
from vote_tables import votes

CROWDS = (
    *("adult", "bluebird", "dog", "face", "hatecheck", "music_genre", "rte", "temporal"),
    *("sentiment_polarity", "trec_relevance", "weather", "xstest_judges", "zencrowd"),
)
"""Without sets whose truth is the majority of the same votes."""


def majority(table: Votes) -> Ints:
    return np.asarray(np.where(table.answered, table.counts.argmax(axis=1), ABSTAIN))


def test_a_curve_is_found_again() -> None:
    curve = VotesCurve(limit=0.95, gap=0.2, exponent=0.74, chance=0.5)
    shares = np.zeros((8, 11))
    shares[np.arange(8), np.arange(3, 11)] = 1.0  # 3 to 10 votes on every item
    right = shares @ curve(np.arange(11.0))
    found = fit_curve(right, shares, 0.5)
    assert found.limit == pytest.approx(0.95, abs=0.005)
    assert found(np.array([20.0]))[0] == pytest.approx(curve(np.array([20.0]))[0], abs=0.003)


def test_votes_until_a_goal_by_hand() -> None:
    # limit 1, gap .4, exponent 1: errors .4 / n. 100 items with 4 votes: .1 wrong. Half of it
    # needs 8 votes: 400 further votes. The same errors scaled: at hand .2 wrong, goal .9.
    curve = VotesCurve(limit=1.0, gap=0.4, exponent=1.0, chance=0.5)
    number = np.full(100, 4.0)
    assert votes_until(0.95, curve, 0.9, number) == pytest.approx(400)
    assert votes_until(0.9, curve, 0.8, number) == pytest.approx(400)
    assert votes_until(0.8, curve, 0.85, number) == 0
    assert votes_until(0.95, VotesCurve(0.94, 0.2, 1.0, 0.5), 0.89, number) == np.inf
    assert curve(np.array([0.0, 0.5, 1.0])).tolist() == pytest.approx([0.5, 0.55, 0.6])


def test_independent_voters_reach_what_is_forecast() -> None:
    """Five votes on each item, then ten: the forecast of five is near the ten."""
    table, _, truth = crowd(0, examples=1500, per=10, accuracy=(0.65, 0.65))
    fewer = np.tile(np.arange(10) < 5, 1500)
    half = table.take(np.flatnonzero(fewer))
    found = forecast_votes(half, Majority().estimate(half), majority(half), truth)
    assert found is not None
    assert found.judged_by == "truth"
    later = (majority(table) == truth).mean()
    assert found.after[1].votes == 7500
    assert found.after[1].accuracy == pytest.approx(later, abs=0.02)
    assert found.now < found.after[0].accuracy < found.after[1].accuracy <= found.limit


def test_without_truth_the_posterior_judges() -> None:
    table, _, truth = crowd(0, examples=300, per=5)
    found = forecast_votes(
        table, Majority().estimate(table), majority(table), np.where(truth >= 0, ABSTAIN, truth)
    )
    assert found is not None
    assert found.judged_by == "labels"
    assert found.now == pytest.approx(table.shares().max(axis=1).mean())


def test_goals_reached_are_dropped_and_little_gives_nothing() -> None:
    table = votes([[0, 0, 1], [1, 1, 1]] * 50, 2)
    truth = np.tile([0, 1], 50)
    rows = Majority().estimate(table)
    found = forecast_votes(table, rows, majority(table), truth, goals=(0.9, 0.99))
    assert found is not None
    assert (found.now, found.goals) == (1.0, ())
    single = votes([[0]] * 100, 2)
    assert forecast_votes(single, Majority().estimate(single), majority(single)) is None
    few = votes([[0, 1]] * 49, 2)
    assert forecast_votes(few, Majority().estimate(few), majority(few)) is None


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "crowd_rte").exists(), reason="the shared data is not there")
def test_replay_on_crowds() -> None:
    """Half of the votes forecast the accuracy with all: nearer than 'as now', with intervals."""
    rows = []
    for name in CROWDS:
        table, truth = read_nested(DATA / f"crowd_{name}" / "train.jsonl.gz")
        half = table.take(np.flatnonzero(np.random.default_rng(1).random(len(table.answer)) < 0.5))
        later = float((labels(table)[1] == truth)[truth >= 0].mean())
        found = forecast_votes(half, *labels(half), truth, goals=(later,))
        assert found is not None
        holds = [
            (goal.low or 0) <= len(table.answer) - len(half.answer) <= (goal.high or np.inf)
            for goal in found.goals
        ]
        rows.append((abs(found.after[1].accuracy - later), abs(found.now - later), *holds))
        print(
            f"{name}: now {found.now:.3f}, forecast {found.after[1].accuracy:.3f}, is {later:.3f}"
        )
    forecast, unchanged = (np.mean([row[i] for row in rows]) for i in (0, 1))
    covered = np.mean([row[2] for row in rows if len(row) > 2])
    print(f"errors {forecast:.4f}, of no change {unchanged:.4f}; intervals that hold {covered:.2f}")
    assert forecast < 0.025
    assert forecast < 0.65 * unchanged
    assert covered >= 0.75


def labels(table: Votes) -> tuple[Reliability, Ints]:
    """Labels of the default method, ties drawn."""
    rows = Hierarchical().estimate(table)
    return rows, random_choice(leading_answers(table, rows.posterior))
