"""A metric from outside the package has the intervals and gaps of one from inside."""

import numpy as np
import pytest

import steelyard as sy
from own_kinds import ErrorRate
from steelyard.evaluation import (
    Scores,
    draw_resamples,
    mean_interval,
    measure,
    paired_difference,
    performance_gap_recovered,
)
from steelyard.types import Floats, Ints


def models(metric: str | sy.BaseMetric) -> list[Scores]:
    """Weak supervisor, student and ceiling on 200 items of three classes in 3 seeds."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    counts = draw_resamples(200, 100)
    scores = []
    for skill in (0.5, 0.7, 0.9):
        labels = [np.where(rng.random(200) < skill, truth, (truth + 1) % 3) for _ in range(3)]
        scores.append(measure(metric, truth, [[np.eye(3)[row]] for row in labels], counts))
    return scores


def test_error_rate_mirrors_accuracy() -> None:
    right, wrong = models("accuracy"), models(ErrorRate())
    for a, b in zip(right, wrong, strict=True):
        np.testing.assert_allclose(a.resampled, 1 - b.resampled, atol=1e-12)
        assert mean_interval(b).low == pytest.approx(1 - mean_interval(a).high, abs=1e-12)
    assert wrong[0].metric == "error_rate"
    gaps = [performance_gap_recovered(*scores).interval for scores in (right, wrong)]
    assert gaps[0] is not None
    assert gaps[1] is not None
    assert gaps[1].low == pytest.approx(gaps[0].low)
    p = [paired_difference(scores[1], scores[0]).p for scores in (right, wrong)]
    assert p[0] == pytest.approx(p[1])


def test_no_gap_is_reported_in_the_direction_of_the_metric() -> None:
    weak, _, ceiling = models(ErrorRate())
    reason = performance_gap_recovered(ceiling, weak, weak).reason
    assert reason is not None
    assert "is not below" in reason


class Signed(sy.BaseMetric):
    """2 accuracy - 1, in [-1, 1]."""

    kind: str = "signed"
    limits = (-1.0, 1.0)

    def score(self, truth: Ints, probs: Floats) -> float:
        return 2 * float((probs.argmax(axis=1) == truth).mean()) - 1


@pytest.mark.parametrize("right", [True, False])
def test_without_variation_the_interval_is_wilsons_between_the_limits(right: bool) -> None:
    """20 of 20 right: accuracy in [20 / 23.84, 1], so 2 accuracy - 1 in [0.678, 1]."""
    truth = np.zeros(20, dtype=np.int64)
    probs = np.tile([1.0, 0.0] if right else [0.0, 1.0], (20, 1))
    interval = mean_interval(measure(Signed(), truth, [[probs]], draw_resamples(20, 50)))
    low = 2 * 20 / (20 + 1.959964**2) - 1
    expected = (low, 1.0) if right else (-1.0, -low)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-6)
