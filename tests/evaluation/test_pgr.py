"""Differences and the performance gap recovered, by hand and against scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from steelyard.errors import InputError
from steelyard.evaluation import (
    LOWER_IS_BETTER,
    Scores,
    draw_resamples,
    measure,
    paired_difference,
    performance_gap_recovered,
    wilcoxon_over_datasets,
)
from steelyard.evaluation.interval import Spread, quantile
from steelyard.evaluation.pgr import fieller, share_of_gap
from steelyard.types import Floats

STEPS = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])


def only_seeds(values: Floats | list[float], metric: str = "accuracy") -> Scores:
    """A model whose score does not depend on which test items were drawn."""
    seeds = np.array(values)
    resampled = np.repeat(seeds[:, None], 20, axis=1)
    return Scores(metric, 1000, seeds, resampled, lower_is_better=metric in LOWER_IS_BETTER)


def study(seed: int, seeds: int = 4, items: int = 300) -> tuple[Scores, Scores, Scores]:
    """Weak supervisor, student and ceiling that find the same items hard."""
    rng = np.random.default_rng(seed)
    hard, counts = rng.random((1, items)) * 0.4, draw_resamples(items, 300, seed)
    truth = np.zeros(items, dtype=np.int64)
    models = []
    for level in (0.75, 0.9, 1.0):
        right = rng.random((seeds, items)) < level - hard
        probs = [[np.column_stack([row, 1.0 - row])] for row in right.astype(np.float64)]
        models.append(measure("accuracy", truth, probs, counts))
    return models[0], models[1], models[2]


def moved(scores: Scores, scale: float, shift: float, metric: str) -> Scores:
    return replace(
        scores,
        metric=metric,
        lower_is_better=metric in LOWER_IS_BETTER,
        seeds=scale * scores.seeds + shift,
        resampled=scale * scores.resampled + shift,
    )


def test_pgr_by_hand() -> None:
    # weak .5 in all seeds; gaps .1 + STEPS, gains .06 + (-.01, -.02, 0, .02, .01)
    gain_steps = np.array([-0.01, -0.02, 0.0, 0.02, 0.01])
    weak, ceiling = only_seeds([0.5] * 5), only_seeds(0.6 + STEPS)
    pgr = performance_gap_recovered(weak, only_seeds(0.56 + gain_steps), ceiling)
    # V: variances (4 + 1 + 1 + 4) e-4 / 4 = 2.5e-4, covariance (2 + 2 + 2 + 2) e-4 / 4 = 2e-4
    # C = V / 5: a = c = 5e-5, b = 4e-5; t of 4 degrees of freedom 2.776445, t^2 = 7.708647
    # square = .01 - 7.708647 * 5e-5 = .009614568
    # middle = (.006 - 7.708647 * 4e-5) / square = .005691654 / .009614568 = .5919822
    # const = (.0036 - 7.708647 * 5e-5) / square = .003214568 / .009614568 = .3343435
    # half = sqrt(.5919822^2 - .3343435) = sqrt(.0160994) = .1268834
    assert pgr.interval is not None
    assert pgr.interval.value == pytest.approx(0.6, abs=1e-12)
    assert pgr.interval.low == pytest.approx(0.4650988, abs=2e-6)
    assert pgr.interval.high == pytest.approx(0.7188656, abs=2e-6)
    # .05/.08, .04/.09, .06/.1, .08/.11, .07/.12
    assert pgr.seeds == pytest.approx([0.625, 4 / 9, 0.6, 8 / 11, 7 / 12], abs=1e-12)
    assert pgr.reason is None


def test_pgr_is_zero_at_weak_and_one_at_the_ceiling() -> None:
    weak, _, ceiling = study(1)
    at_weak = performance_gap_recovered(weak, weak, ceiling).interval
    at_ceiling = performance_gap_recovered(weak, ceiling, ceiling).interval
    assert at_weak is not None
    assert at_ceiling is not None
    # the student is the same model: no resample and no seed could give another ratio
    for interval, value in ((at_weak, 0.0), (at_ceiling, 1.0)):
        result = (interval.value, interval.low, interval.high)
        assert result == pytest.approx((value,) * 3, abs=1e-6)


def test_pgr_is_not_clipped() -> None:
    weak, ceiling = only_seeds(0.5 + STEPS), only_seeds(0.7 + STEPS)
    above = performance_gap_recovered(weak, only_seeds(0.8 + STEPS), ceiling).interval
    below = performance_gap_recovered(weak, only_seeds(0.4 + STEPS), ceiling).interval
    assert above is not None
    assert below is not None
    assert above.value == pytest.approx(1.5)
    assert below.value == pytest.approx(-0.5)


def test_no_gap_gives_no_pgr_but_a_reason() -> None:
    weak, student = only_seeds([0.7, 0.72, 0.71]), only_seeds([0.75, 0.75, 0.75])
    same = performance_gap_recovered(weak, student, weak)
    assert (same.interval, same.seeds) == (None, (None, None, None))
    lower = performance_gap_recovered(weak, student, only_seeds([0.6, 0.65, 0.625]))
    assert (lower.interval, lower.seeds) == (None, (None, None, None))
    assert lower.reason == (
        "The ceiling is not better than the weak supervisor: its accuracy, 0.6250, is not above "
        "0.7100, so there is no gap to recover."
    )


def test_a_gap_within_its_error_gives_no_pgr() -> None:
    # gaps .02 + 2 STEPS = -.02, 0, .02, .04, .06: mean .02, sd sqrt(10) e-2,
    # se .0316228 / sqrt(5) = .0141421, half width 2.776445 * .0141421 = .0392649
    weak, ceiling = only_seeds([0.5] * 5), only_seeds(0.52 + 2 * STEPS)
    pgr = performance_gap_recovered(weak, only_seeds([0.51] * 5), ceiling)
    assert pgr.interval is None
    assert pgr.reason is not None
    assert "0.0200 in accuracy, may be 0 (95 % interval -0.0193 to 0.0593)" in pgr.reason
    # the ceiling of seeds 0 and 1 is not above weak; .01 / .02, .01 / .04, .01 / .06
    assert pgr.seeds[:2] == (None, None)
    assert pgr.seeds[2:] == pytest.approx((0.5, 0.25, 1 / 6))


def test_a_gap_is_refused_by_the_smaller_degrees_of_freedom() -> None:
    """The gap has variance 1 from 3 seeds: 2 degrees of freedom, t = 4.303. At the ratio 1 the
    items add variance 1, which gives (1 + 1)^2 / (1 / 2 + 1 / 1000) = 7.98, t = 2.31."""
    parts = Spread(np.eye(2), np.diag([1.0, 0.0]), np.diag([0.0, 1.0]), 1000.0, 2, np.zeros((2, 2)))
    assert fieller(4.2, 4.2, parts) is None
    assert fieller(4.4, 4.4, parts) is not None


@pytest.mark.parametrize("seed", range(5))
def test_pgr_and_its_interval_do_not_change_under_affine_maps(seed: int) -> None:
    models = study(seed)
    plain = performance_gap_recovered(*models)
    assert plain.interval is not None
    for scale, shift, metric in ((0.3, 0.2, "accuracy"), (-1.0, 1.0, "ece")):
        weak, student, ceiling = (moved(model, scale, shift, metric) for model in models)
        result = performance_gap_recovered(weak, student, ceiling)
        assert result.interval is not None
        for name in ("value", "low", "high"):
            assert getattr(result.interval, name) == pytest.approx(getattr(plain.interval, name))
        assert result.seeds == pytest.approx(plain.seeds)


def test_a_higher_calibration_error_is_no_better_ceiling() -> None:
    weak, ceiling = only_seeds([0.1] * 3, "ece"), only_seeds([0.2] * 3, "ece")
    pgr = performance_gap_recovered(weak, weak, ceiling)
    assert pgr.reason is not None
    assert "its ece, 0.2000, is not below 0.1000" in pgr.reason


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_give_no_pgr_but_a_reason(seeds: int) -> None:
    """With two, the intervals that were shown held the truth in 78 % of simulated studies."""
    pgr = performance_gap_recovered(*study(2, seeds=seeds, items=2000))
    assert pgr.interval is None
    assert pgr.seeds == (None,) * seeds
    assert pgr.reason is not None
    assert f"at least 3 seeds, got {seeds}" in pgr.reason


def test_the_share_of_the_gap_is_the_difference_of_two_pgr() -> None:
    weak, student, ceiling = study(1)
    share = share_of_gap(student, weak, weak, ceiling)
    pgr = performance_gap_recovered(weak, student, ceiling).interval
    assert share is not None
    assert pgr is not None  # that of the weak supervisor is 0
    assert (share.value, share.low, share.high) == pytest.approx((pgr.value, pgr.low, pgr.high))
    # where the gap is certain, the interval is that of the difference divided by the gap
    assert 2 * quantile(3) * share.error >= share.high - share.low > 2 * 1.9 * share.error


def test_a_difference_over_seeds_alone_is_scipys_paired_t_test() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(0.7, 0.02, size=6), rng.normal(0.68, 0.02, size=6)
    result = paired_difference(only_seeds(first), only_seeds(second))
    expected = ttest_rel(first, second)
    bounds = expected.confidence_interval(0.95)
    assert result.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert result.difference == pytest.approx((first - second).mean(), abs=1e-15)
    assert (result.low, result.high) == pytest.approx((bounds.low, bounds.high), abs=1e-12)


def test_a_difference_of_one_seed_is_the_paired_t_test_over_items() -> None:
    rng = np.random.default_rng(6)
    n = 800
    first, second = rng.random(n) < 0.75, rng.random(n) < 0.7
    counts, truth = draw_resamples(n, 5000), np.zeros(n, dtype=np.int64)
    scores = [
        measure("accuracy", truth, [[np.column_stack([row, 1.0 - row])]], counts)
        for row in (first.astype(np.float64), second.astype(np.float64))
    ]
    result = paired_difference(scores[0], scores[1])
    expected = ttest_rel(first.astype(float), second.astype(float))
    bounds = expected.confidence_interval(0.95)
    # a standard error from 5,000 resamples has a relative error of 1 / sqrt(10,000) = 1 %
    assert result.high - result.low == pytest.approx(bounds.high - bounds.low, rel=0.03)
    assert result.p == pytest.approx(expected.pvalue, rel=0.2)


def test_a_model_does_not_differ_from_itself() -> None:
    _, student, _ = study(3)
    result = paired_difference(student, student)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


def test_all_right_against_all_wrong_is_a_sign_test() -> None:
    result = paired_difference(only_seeds([1.0, 1.0]), only_seeds([0.0, 0.0]))
    assert (result.difference, result.p) == (1.0, 2.0**-999)


def test_swapping_the_models_turns_the_sign() -> None:
    _, student, ceiling = study(8)
    forward, backward = paired_difference(student, ceiling), paired_difference(ceiling, student)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low))
    assert forward.p == pytest.approx(backward.p)


def test_scores_that_are_not_paired_are_refused() -> None:
    first = only_seeds([0.5, 0.6])
    with pytest.raises(InputError, match="same `metric`, got 'accuracy' and 'ece'"):
        paired_difference(first, only_seeds([0.5, 0.6], "ece"))
    with pytest.raises(InputError, match="same `items`, got 1000 and 20"):
        paired_difference(first, replace(first, items=20))
    with pytest.raises(InputError, match=r"got \(2, 20\) and \(3, 20\)"):
        performance_gap_recovered(first, only_seeds([0.5, 0.6, 0.7]), first)


def test_wilcoxon_over_datasets_by_hand() -> None:
    # six data sets, all better: both tails of the 2^6 sign patterns, 2 / 64
    assert wilcoxon_over_datasets([0.01, 0.02, 0.03, 0.04, 0.05, 0.06]) == pytest.approx(2 / 64)
    # one worse, of smallest rank 1: rank sums of 0 and 1 are 1 pattern each, 2 * 2 / 64
    assert wilcoxon_over_datasets([-0.01, 0.02, 0.03, 0.04, 0.05, 0.06]) == pytest.approx(4 / 64)


def test_wilcoxon_ranks_data_sets_without_a_difference() -> None:
    # the 0 takes rank 1; -.01 has rank 2, .02 3, .03 4: |-| sum 2 of 9; of the 8 patterns the
    # smaller sums are 0 and 2: 2 * 2 / 8
    assert wilcoxon_over_datasets([0.0, -0.01, 0.02, 0.03]) == pytest.approx(0.5)
    assert wilcoxon_over_datasets([0.0, 0.0]) == 1.0
    with pytest.raises(InputError, match=r"at least one, got \[\]"):
        wilcoxon_over_datasets([])
