"""Scores made into probabilities: by hand, against scipy, and without peeking."""

import numpy as np
import pytest
from scipy.optimize import minimize

from steelyard.errors import InputError
from steelyard.evaluation import calibrate
from steelyard.evaluation.calibration import _assign_folds
from steelyard.types import ABSTAIN, Floats, Ints


def labels(size: int, labeled: int, seed: int) -> tuple[Floats, Ints, Floats]:
    """Scores that promise too much: a label of score s is right with probability s^2."""
    rng = np.random.default_rng(seed)
    score = rng.random(size)
    right = (rng.random(size) < score**2).astype(np.int64)
    right[rng.permutation(size)[labeled:]] = ABSTAIN
    return score, right, score**2


def test_isotonic_by_hand() -> None:
    # six scores of known truth, each twice: right 0/2, 1/2, 0/2, 2/2, 1/2, 2/2. Pooling adjacent
    # violators: .3 and .5 become (1 + 0) / 4, .7 and .8 become (2 + 1) / 4
    score = np.repeat([0.1, 0.3, 0.5, 0.7, 0.8, 1.0], 2)
    right = np.array([0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1])
    unknown = np.array([0.0, 0.1, 0.4, 0.75, 0.6, 1.0])
    result = calibrate(
        np.concatenate([score, unknown]), np.concatenate([right, np.full(6, ABSTAIN)])
    ).score[12:]
    # below the lowest known score as there, between two levels on the line between their ends
    np.testing.assert_allclose(result, [0, 0, 0.25, 0.75, 0.5, 1])


@pytest.mark.parametrize("method", ["isotonic", "temperature"])
def test_promises_are_kept_after_it(method: str) -> None:
    score, right, chance = labels(20_000, 2000, seed=0)
    result = calibrate(score, right, method)  # type: ignore[arg-type]
    # E|s - s^2| = 1/6 before
    assert result.before.ece == pytest.approx(1 / 6, abs=0.02)
    assert result.after.ece < 0.04
    unknown = right == ABSTAIN
    assert np.abs(result.score - chance)[unknown].mean() < 0.05
    assert ((result.score >= 0) & (result.score <= 1)).all()


def test_temperature_is_platts_maximum() -> None:
    score, right, _ = labels(300, 120, seed=1)
    labeled = right != ABSTAIN
    x, y = score[labeled], right[labeled] == 1
    x = np.log(np.clip(x, 1e-3, 1 - 1e-3) / (1 - np.clip(x, 1e-3, 1 - 1e-3)))
    target = np.where(y, (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2))

    def loss(ab: Floats) -> float:
        z = ab[0] * x + ab[1]
        return float((np.logaddexp(0, z) - target * z).sum())

    a, b = minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-9}).x
    inner = np.clip(score[~labeled], 1e-3, 1 - 1e-3)
    expected = 1 / (1 + np.exp(-(a * np.log(inner / (1 - inner)) + b)))
    result = calibrate(score, right, "temperature").score[~labeled]
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize("method", ["isotonic", "temperature"])
def test_no_score_sees_its_own_truth(method: str) -> None:
    score, right, _ = labels(60, 60, seed=2)
    fold = _assign_folds(right == 1, 5, seed=0)
    result = calibrate(score, right, method).score  # type: ignore[arg-type]
    for f in range(5):
        # unknown to the curve: what the labels of the other folds alone say of these
        others = np.where(fold == f, ABSTAIN, right)
        alone = calibrate(score, others, method).score  # type: ignore[arg-type]
        np.testing.assert_allclose(result[fold == f], alone[fold == f], atol=1e-9)


def test_a_score_without_information_gains_none() -> None:
    rng = np.random.default_rng(3)
    score, right = rng.random(400), rng.integers(0, 2, 400)
    result = calibrate(score, right)
    assert result.after.auroc is not None
    assert result.after.auroc < 0.56  # the same curve fitted to all of them has .58 on them
    fitted = calibrate(np.concatenate([score, score]), np.concatenate([right, right - right - 1]))
    assert np.corrcoef(fitted.score[400:], right)[0, 1] > 0.1  # that curve, on the same labels


def test_the_seed_draws_the_folds() -> None:
    score, right, _ = labels(200, 60, seed=4)
    first, again = calibrate(score, right, seed=1), calibrate(score, right, seed=1)
    assert first.score.tobytes() == again.score.tobytes()
    assert (calibrate(score, right, seed=2).score != first.score).any()


def test_folds_have_their_share_of_wrong_labels() -> None:
    outcome = np.arange(53) >= 12
    fold = _assign_folds(outcome, 5, seed=0)
    assert sorted(np.bincount(fold[~outcome])) == [2, 2, 2, 3, 3]
    assert sorted(np.bincount(fold[outcome])) == [8, 8, 8, 8, 9]


def test_too_little_truth_is_refused() -> None:
    score = np.linspace(0, 1, 40)
    right = np.full(40, ABSTAIN)
    right[:9] = [0, 1, 0, 1, 1, 1, 1, 1, 1]
    with pytest.raises(InputError, match=r"at least 10 labels with known.*; got 9, 7 of them"):
        calibrate(score, right)
    right[:20] = 1
    right[3] = 0
    with pytest.raises(InputError, match=r"two right and two wrong .* got 20, 19 of them right"):
        calibrate(score, right)
    right[4] = 0
    assert calibrate(score, right).score.shape == (40,)


def test_what_does_not_fit_is_refused() -> None:
    right = np.array([0, 1] * 10)
    with pytest.raises(InputError, match=r"got \(3,\) and \(20,\)"):
        calibrate(np.ones(3), right)
    with pytest.raises(InputError, match=r"-1 \(unknown\), got 2 in row 1"):
        calibrate(np.ones(20), right * 2)
    with pytest.raises(InputError, match=r"in \[0, 1\], got nan in row 0"):
        calibrate(np.full(20, np.nan), right)
    with pytest.raises(InputError, match="at least 2 folds, got 1"):
        calibrate(np.ones(20), right, folds=1)
