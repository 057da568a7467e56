"""Scores over seeds and resamples, and their intervals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student_t

from steelyard.errors import ConfigError, InputError
from steelyard.evaluation import Scores, draw_resamples, mean_interval, measure
from steelyard.evaluation.interval import spread
from steelyard.types import Floats


def binary(right: Floats) -> Floats:
    """Probabilities (N, 2) that are right about class 0 with these probabilities."""
    return np.column_stack([right, 1 - right])


def test_resamples_hold_every_item_once_on_average() -> None:
    counts = draw_resamples(300, 400, seed=2)
    assert counts.shape == (400, 300)
    np.testing.assert_array_equal(counts.sum(axis=1, dtype=np.int64), 300)
    # a column mean has standard error sqrt(1 / 400) = 0.05; the variance of a count is 1 - 1/300
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 * 0.05
    assert counts.var() == pytest.approx(1 - 1 / 300, abs=0.02)
    np.testing.assert_array_equal(counts, draw_resamples(300, 400, seed=2))
    assert (counts != draw_resamples(300, 400, seed=3)).any()


def test_a_score_is_the_mean_over_members_in_each_seed() -> None:
    truth = np.zeros(4, dtype=np.int64)
    hits_3, hits_1 = binary(np.array([0.9, 0.9, 0.9, 0.1])), binary(np.array([0.9, 0.1, 0.1, 0.1]))
    counts = np.array([[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 0, 4]], dtype=np.uint8)
    scores = measure("accuracy", truth, [[hits_3, hits_1], [hits_3]], counts)
    # seed 0: (3/4 + 1/4) / 2; seed 1: 3/4
    np.testing.assert_array_equal(scores.seeds, [0.5, 0.75])
    # item 0: both right, item 1: `three` alone, item 3: none
    np.testing.assert_array_equal(scores.resampled, [[1.0, 0.5, 0.0], [1.0, 1.0, 0.0]])
    assert (scores.metric, scores.items, scores.value) == ("accuracy", 4, 0.625)


def test_components_by_hand() -> None:
    # one quantity, S = 2 seeds, R = 3 resamples, N = 4 items
    seeds = np.array([[0.5, 0.7]])
    resampled = np.array([[[0.4, 0.5, 0.6], [0.7, 0.7, 0.7]]])
    parts = spread(seeds, resampled, items=4)
    # bootstrap variances .01 and 0, of the mean (.55, .6, .65) .0025; each times 4/3
    # B = .0025 * 4/3; A = .005 * 4/3; V/S = .02 / 2 = .01; I = (A - B) / 1 = .0025 * 4/3 = B
    # C = B + V/S - I = .01
    assert parts.items[0, 0] == pytest.approx(0.0025 * 4 / 3)
    assert parts.seeds[0, 0] == pytest.approx(0.01)
    assert parts.total[0, 0] == pytest.approx(0.01)
    # f = 1 / (1/3 + 1/2) = 1.2; C^2 / (.01^2 / 1 + B^2 / 1.2) = 1 / (1 + (1/3)^2 / 1.2)
    assert parts.items_freedom == pytest.approx(1.2)
    assert parts.freedom(np.ones(1)) == pytest.approx(1 / (1 + (1 / 3) ** 2 / 1.2))


def test_the_variance_is_never_below_that_of_items_or_of_seeds_alone() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        q, s = rng.integers(1, 4), rng.integers(1, 6)
        scale = rng.exponential(size=2)
        seeds = rng.normal(scale=scale[0], size=(q, s))
        resampled = seeds[:, :, None] + rng.normal(scale=scale[1], size=(q, s, 20))
        parts = spread(seeds, resampled, items=50)
        for smaller in (parts.items, parts.seeds):
            assert np.linalg.eigvalsh(parts.total - smaller).min() > -1e-12


def test_one_seed_gives_the_interval_over_items() -> None:
    right = np.random.default_rng(0).random(500) < 0.7
    counts = draw_resamples(500, 4000)
    probs = binary(np.where(right, 0.9, 0.1))
    interval = mean_interval(measure("accuracy", np.zeros(500, np.int64), [[probs]], counts))
    # mean -+ t sd / sqrt(N); a bootstrap error from 4,000 resamples is within 5 % of it
    half = student_t.ppf(0.975, 499) * right.std(ddof=1) / np.sqrt(500)
    assert interval.value == right.mean()
    assert interval.high - interval.value == pytest.approx(half, rel=0.05)
    assert interval.value - interval.low == pytest.approx(half, rel=0.05)


def test_if_only_seeds_vary_the_interval_is_students() -> None:
    seeds = np.array([0.6, 0.7, 0.8])
    scores = Scores("accuracy", 100, seeds, np.repeat(seeds[:, None], 10, axis=1))
    interval = mean_interval(scores)
    # .7 -+ 4.303 * .1 / sqrt(3) = .7 -+ .2484
    assert interval.low == pytest.approx(0.7 - 4.302653 * 0.1 / np.sqrt(3), abs=1e-6)
    assert interval.high == pytest.approx(0.7 + 4.302653 * 0.1 / np.sqrt(3), abs=1e-6)


def test_all_right_on_fifty_items_is_not_certain() -> None:
    truth = np.zeros(50, dtype=np.int64)
    counts = draw_resamples(50)
    right = mean_interval(measure("accuracy", truth, [[binary(np.full(50, 0.9))]] * 3, counts))
    # Wilson with p = 1: low = 50 / (50 + 1.95996^2) = .92865
    assert right.low == pytest.approx(50 / (50 + 1.959964**2), abs=1e-6)
    assert (right.value, right.high) == (1.0, 1.0)
    wrong = mean_interval(measure("accuracy", truth, [[binary(np.full(50, 0.1))]], counts))
    assert wrong.high == pytest.approx(1 - 50 / (50 + 1.959964**2), abs=1e-6)
    assert (wrong.value, wrong.low) == (0.0, 0.0)


def test_an_interval_ends_at_one() -> None:
    seeds = np.array([0.99, 0.97, 1.0])
    interval = mean_interval(Scores("accuracy", 100, seeds, np.repeat(seeds[:, None], 9, axis=1)))
    assert interval.high == 1.0
    assert interval.low < 0.97


def test_resamples_without_a_score_are_left_out() -> None:
    resampled = np.array([[0.5, np.nan, 0.7, 0.6], [0.6, 0.8, np.nan, 0.7]])
    seeds = np.array([0.6, 0.7])
    whole = spread(seeds[None], resampled[None], 30)
    kept = spread(seeds[None], resampled[None][:, :, [0, 3]], 30)
    np.testing.assert_array_equal(whole.total, kept.total)


def test_a_metric_that_is_undefined_says_which_class_is_short() -> None:
    probs = [[binary(np.full(20, 0.6))]]
    one_class = np.zeros(20, dtype=np.int64)
    with pytest.raises(InputError, match=r"undefined on 100% .* \(items of each true class: 0: 20"):
        measure("auroc", one_class, probs, draw_resamples(20))


def test_what_does_not_fit_is_refused() -> None:
    truth, probs = np.zeros(4, np.int64), binary(np.full(4, 0.6))
    with pytest.raises(InputError, match=r"must be \(R, 4\).*got \(5, 3\)"):
        measure("accuracy", truth, [[probs]], draw_resamples(3, 5))
    with pytest.raises(InputError, match=r"seed 1 must be \(4, K\).*got \(3, 2\)"):
        measure("accuracy", truth, [[probs], [probs[:3]]], draw_resamples(4, 5))
    with pytest.raises(InputError, match="at least one seed"):
        measure("accuracy", truth, [[]], draw_resamples(4, 5))
    with pytest.raises(ConfigError, match="got 'f1'"):
        measure("f1", truth, [[probs]], draw_resamples(4, 5))
    with pytest.raises(InputError, match="needs test items"):
        measure("accuracy", truth[:0], [[probs[:0]]], np.ones((2, 0)))
    with pytest.raises(InputError, match="at least 2 test items"):
        mean_interval(measure("accuracy", truth[:1], [[probs[:1]]], draw_resamples(1)))


def test_items_of_one_group_are_drawn_together() -> None:
    groups = np.array([7, 7, 7, 2, 2, 5])
    counts = draw_resamples(6, 200, groups=groups)
    for members in ([0, 1, 2], [3, 4]):
        assert (counts[:, members] == counts[:, members[:1]]).all()
    assert set(counts[:, [0, 3, 5]].sum(axis=1)) == {3}  # three groups are drawn
    alone = draw_resamples(6, 200, groups=np.arange(6))
    assert (alone == draw_resamples(6, 200)).all()


def test_intervals_of_grouped_items_are_those_of_the_group_means() -> None:
    """Ten copies of each of 100 items tell no more than the 100 items."""
    right = np.random.default_rng(3).random(100) < 0.7
    groups = np.repeat(np.arange(100), 10)
    probs = np.column_stack([right, ~right]).astype(float)
    truth = np.zeros(1000, dtype=np.int64)
    drawn = draw_resamples(1000, 300, groups=groups)
    copies = replace(measure("accuracy", truth, [[probs[groups]]], drawn), items=100)
    items = measure("accuracy", truth[:100], [[probs]], draw_resamples(100, 300))
    assert mean_interval(copies) == mean_interval(items)
