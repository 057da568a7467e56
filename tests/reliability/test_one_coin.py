"""One accuracy per voter: by hand, against crowd-kit, and on answers of each example's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowd_tables import crowd_kit_frame, drawn, read_nested
from steelyard.reliability import OneCoin
from steelyard.types import ABSTAIN, Floats, Votes
from vote_tables import votes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # crowd-kit's


def test_one_step_by_hand() -> None:
    table = votes([[0, 0, 1], [1, 1, 1]], answers=3, classes=("a", "b", "c"))
    # start, T = vote shares: q0 (2/3, 1/3, 0), q1 (0, 1, 0); prior (1/3, 2/3, 0)
    # accuracy = mean T of its answers: v0, v1 (2/3 + 1) / 2 = 5/6; v2 (1/3 + 1) / 2 = 2/3
    # a vote for l: a for l, (1 - a) / 2 elsewhere: v0, v1 5/6 and 1/12, v2 2/3 and 1/6
    #   q0: 0: 1/3 * 5/6 * 5/6 * 1/6 = 25/648      1: 2/3 * 1/12 * 1/12 * 2/3 = 1/324
    #       (0: 25, 1: 2) / 27
    #   q1: all but 1: at most 1/3 * 1/12 * 1/12 * 1/6 = 1/2592; 1: 2/3 * 25/36 * 2/3 = 25/81
    #       1/2592 : 25/81 = 1 : 800
    reliability = OneCoin(iterations=1, smoothing=0).estimate(table)
    expected = [[25 / 27, 2 / 27, 0], [1 / 801, 800 / 801, 0]]
    np.testing.assert_allclose(reliability.posterior, expected, atol=1e-8)
    assert reliability.skill is not None
    np.testing.assert_allclose(reliability.skill.accuracy, [5 / 6, 5 / 6, 2 / 3], atol=1e-8)


@pytest.mark.parametrize("iterations", [1, 2, 10])
def test_equal_to_crowd_kit_after_as_many_steps(iterations: int) -> None:
    from crowdkit.aggregation import OneCoinDawidSkene

    table, _ = drawn(3, examples=60, voters=8, answers=3, cast=5)
    frame = crowd_kit_frame(table)
    theirs = OneCoinDawidSkene(n_iter=iterations, tol=-1e9).fit_predict_proba(frame).sort_index()
    ours = OneCoin(iterations=iterations, tolerance=0, smoothing=0).estimate(table).posterior
    np.testing.assert_allclose(ours, theirs[[0, 1, 2]], rtol=0, atol=1e-6)


def test_equal_to_crowd_kit_on_real_votes(shared_data: Path) -> None:
    from crowdkit.aggregation import OneCoinDawidSkene

    table, _ = read_nested(shared_data / "crowd_weather")
    theirs = OneCoinDawidSkene(n_iter=3, tol=-1e9).fit_predict_proba(crowd_kit_frame(table))
    ours = OneCoin(iterations=3, tolerance=0, smoothing=0).estimate(table).posterior
    np.testing.assert_allclose(ours, theirs.sort_index()[list(range(5))], rtol=0, atol=1e-6)


def test_answers_of_each_examples_own_by_hand() -> None:
    # two right answers are trusted of v0's four, three of v1's four; begin: (right + 4, wrong + 1)
    gold_rows = [[0, 0], [0, 0], [1, 0], [1, 1]]
    texts = (("4", "5"),) * 4 + (("7", "8", "9", "10"),)
    table = votes(
        [*gold_rows, [0, 1]],
        candidates=np.array([2, 2, 2, 2, 4]),
        candidate_texts=texts,
    )
    gold = np.array([0, 0, 0, 0, ABSTAIN])
    # v0 (6, 3), v1 (7, 2). Last example, 3 wrong answers and 10 that nobody gave: odds over a wrong
    # answer 6/3 * 13 = 26 for its 0, 7/2 * 13 = 45.5 for its 1; prior: (26, 45.5, 1, 1) / 73.5
    # M-step: right of v0: 2 + 26/73.5 of 5, of v1: 3 + 45.5/73.5 of 5
    reliability = OneCoin(iterations=1, smoothing=0).estimate(table, gold)
    assert reliability.skill is not None
    expected = [(2 + 26 / 73.5) / 5, (3 + 45.5 / 73.5) / 5]
    np.testing.assert_allclose(reliability.skill.accuracy, expected, atol=1e-9)
    assert reliability.skill.confusion is None
    odds = [13 * a / (1 - a) for a in expected]
    posterior = np.array([*odds, 1, 1]) / (sum(odds) + 2)
    np.testing.assert_allclose(reliability.posterior[4], posterior, atol=1e-9)


@given(seed=st.integers(0, 10_000), soft=st.booleans())
def test_every_step_raises_the_likelihood(seed: int, soft: bool) -> None:
    table, _ = drawn(seed, examples=15, voters=4, answers=3, cast=3, soft=soft)
    table = replace(table, candidate_texts=(("7", "8", "9"),) * 15)  # so that the prior is uniform
    heights = []
    for iterations in range(1, 8):
        skill = OneCoin(iterations=iterations, tolerance=0, smoothing=0).estimate(table).skill
        assert skill is not None
        heights.append(log_likelihood(table, skill.accuracy))
    assert (np.diff(heights) >= -1e-6).all()


def log_likelihood(table: Votes, accuracy: Floats) -> float:
    """The plain formula, vote by vote: ln prod_i sum_k 1/3 prod_m P(l_m | k) ^ w_m.

    A wrong vote is one of 2 other candidates or of 10 answers that nobody gave.
    """
    ranked = np.sort(table.distributions, axis=1)
    leads = ranked[:, -1] - ranked[:, -2]
    rows = np.full((len(table.ids), 3), np.log(1 / 3))
    for m, lead in enumerate(leads):
        a = accuracy[table.voter[m]]
        for truth in range(3):
            chance = a if table.answer[m] == truth else (1 - a) / 12
            rows[table.example[m], truth] += lead / leads.mean() * np.log(chance)
    return float(np.log(np.exp(rows).sum(axis=1)).sum())


def test_nobody_and_nothing() -> None:
    A = ABSTAIN
    for rows, k in (([[A, A]], 2), ([[0, 0]], 1), ([[0]], 3), ([[0, A], [0, A]], 2)):
        reliability = OneCoin(smoothing=0).estimate(votes(rows, answers=k))
        assert np.isfinite(reliability.posterior).all()
        assert reliability.skill is not None
        assert np.isfinite(reliability.skill.accuracy).all()
