"""The random-effects mean against published numbers, a second implementation and by draw."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import t

from steelyard.errors import InputError
from steelyard.evaluation.over_datasets import random_effects

# Colditz et al. 1994, 13 trials of the BCG vaccine: cases and others, vaccinated and controls
TRIALS = np.array(
    [
        *((4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619)),
        *((33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619)),
        *((505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600)),
        *((186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825)),
    ],
    dtype=float,
)
A, B, C, D = TRIALS.T
EFFECTS = np.log(A / (A + B)) - np.log(C / (C + D))
ERRORS = np.sqrt(1 / A - 1 / (A + B) + 1 / C - 1 / (C + D))


def test_the_vaccine_trials_have_their_published_numbers() -> None:
    """Viechtbauer 2010, doi:10.18637/jss.v036.i03: Paule-Mandel tau2 .3181, I2 92 %, mean -.71."""
    result = random_effects(list(EFFECTS), list(ERRORS))
    assert result.tau2 == pytest.approx(0.3181, abs=5e-5)
    assert result.mean.value == pytest.approx(-0.715, abs=1e-3)
    assert result.i2 == pytest.approx(0.9212, abs=5e-4)  # 1 - 12 / 152.233
    assert result.mean.low < -1.1
    assert result.mean.high == pytest.approx(-0.32, abs=0.005)


def test_a_second_implementation_agrees() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        k = int(rng.integers(3, 12))
        y, errors = rng.normal(0.05, 0.06, k), rng.uniform(0.01, 0.04, k)
        result = random_effects(list(y), list(errors))

        def squares(tau2: float, y: np.ndarray = y, errors: np.ndarray = errors) -> float:
            inverse, ones = np.linalg.inv(np.diag(errors**2 + tau2)), np.ones((len(y), 1))
            mean = np.linalg.solve(ones.T @ inverse @ ones, ones.T @ inverse @ y)
            rest = y - mean[0]
            return float(rest @ inverse @ rest)

        found = minimize_scalar(
            lambda x, k=k: abs(squares(x**2) - k + 1), (0, 0.5), options={"xtol": 1e-13}
        )
        tau2 = found.x**2 if squares(0) > k - 1 else 0.0
        assert result.tau2 == pytest.approx(tau2, abs=1e-6)
        weights = 1 / (errors**2 + tau2)
        mean = np.average(y, weights=weights)
        q = max(1.0, squares(tau2) / (k - 1))
        bounds = t(k - 1, mean, np.sqrt(q / weights.sum())).interval(0.95)
        assert (result.mean.low, result.mean.high) == pytest.approx(bounds, abs=1e-6)


def test_two_equal_effects_by_hand() -> None:
    # w = 1 / .01^2 each, sum 20,000; tau2 0, q 1; error .00707107; t of 1: 12.7062
    result = random_effects([0.05, 0.05], [0.01, 0.01])
    assert result.mean.high - result.mean.value == pytest.approx(0.0898464, abs=1e-6)
    assert (result.tau2, result.i2, result.prediction, result.wilcoxon) == (0, 0, None, None)


def test_wilcoxon_comes_with_six_data_sets() -> None:
    values = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]
    assert random_effects(values[:5], [0.01] * 5).wilcoxon is None
    assert random_effects(values, [0.01] * 6).wilcoxon == pytest.approx(2 / 64)


def test_effects_without_an_error_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2"):
        random_effects([0.1], [0.1])
    with pytest.raises(InputError, match="above 0"):
        random_effects([0.1, 0.2], [0.1, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize(("datasets", "spread"), [(4, 0.0), (4, 0.05), (8, 0.02), (12, 0.05)])
def test_the_interval_holds_the_mean(datasets: int, spread: float) -> None:
    """Errors of .01 to .04, as paired differences of five seeds have."""
    held, predicted = [], []
    for seed in range(3000):
        rng = np.random.default_rng(seed)
        errors = rng.uniform(0.01, 0.04, datasets)
        y = 0.03 + rng.normal(0, spread, datasets) + rng.normal(0, errors)
        result = random_effects(list(y), list(errors))
        held.append(result.mean.low <= 0.03 <= result.mean.high)
        new = 0.03 + spread * rng.standard_normal()
        predicted.append(result.prediction.low <= new <= result.prediction.high)  # type: ignore[union-attr]
    assert 0.93 <= np.mean(held) <= (1.0 if spread == 0 else 0.98)
    assert 0.93 <= np.mean(predicted) <= (1.0 if spread == 0 else 0.97)
