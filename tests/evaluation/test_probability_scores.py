"""Brier score and log loss against scikit-learn, calibration error against known truths."""

import numpy as np
import pytest
from sklearn.metrics import log_loss as sklearn_log_loss

from steelyard.evaluation import Scores, draw_resamples, mean_interval, measure
from steelyard.evaluation.probability_scores import brier, log_loss, squared_calibration_error
from steelyard.types import Floats, Ints


def drawn(seed: int, items: int, too_sure: float) -> tuple[Ints, Floats]:
    """Answers of confidence .55 to .95 that are right `too_sure` less often than they say."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.55, 0.95, items)
    right = rng.random(items) < confidence - too_sure
    return np.where(right, 0, 1), np.column_stack([confidence, 1 - confidence])


def test_scores_by_hand() -> None:
    truth, probs = np.array([0, 1]), np.array([[0.8, 0.2], [0.7, 0.3]])
    # (.2^2 + .2^2 + .7^2 + .7^2) / 2 = .53; -(ln .8 + ln .3) / 2
    assert brier(truth, probs)[0] == pytest.approx(0.53)
    assert log_loss(truth, probs)[0] == pytest.approx(0.7135581)
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]]))[0] == pytest.approx(16.118, abs=1e-3)


def test_resamples_and_scikit_learn_agree() -> None:
    rng = np.random.default_rng(0)
    probs, truth = rng.dirichlet(np.ones(4), 60), rng.integers(0, 4, 60)
    counts = draw_resamples(60, 5)
    assert log_loss(truth, probs)[0] == pytest.approx(sklearn_log_loss(truth, probs))
    for metric in (brier, log_loss):
        values = metric(truth, probs, counts)
        for row, value in zip(counts, values, strict=True):
            picked = np.repeat(np.arange(60), row)
            assert metric(truth[picked], probs[picked])[0] == pytest.approx(value)


def test_the_calibration_error_has_no_bias() -> None:
    """The plain ECE of calibrated answers is .06 on 200 items; this one is 0 on average."""
    for too_sure in (0.0, 0.1):
        values = [squared_calibration_error(*drawn(k, 200, too_sure))[0] for k in range(600)]
        assert np.mean(values) == pytest.approx(too_sure**2, abs=3 * np.std(values) / 600**0.5)


def test_limits_of_the_scores() -> None:
    truth, probs = np.array([0, 1] * 10), np.tile([0.5, 0.5], (20, 1))
    score = measure("brier", truth, [[probs]], draw_resamples(20, 50))
    assert (score.limits, score.lower_is_better) == ((0.0, 2.0), True)


@pytest.mark.slow
@pytest.mark.parametrize(("items", "too_sure", "most"), [(600, 0.05, 1.0), (2000, 0.1, 0.98)])
def test_the_interval_of_the_calibration_error(items: int, too_sure: float, most: float) -> None:
    """Near 0 it holds the truth more often than in 95 % of studies: squares are not below 0."""
    held = []
    for k in range(1000):
        truth, probs = drawn(k, items, too_sure)
        resampled = squared_calibration_error(truth, probs, draw_resamples(items, 200, k))
        value = squared_calibration_error(truth, probs)
        scores = Scores("squared", items, value, resampled[None], True, (-np.inf, 1.0))
        span = mean_interval(scores)
        held.append(max(0, span.low) <= too_sure**2 <= span.high)
    assert 0.92 <= np.mean(held) <= most
