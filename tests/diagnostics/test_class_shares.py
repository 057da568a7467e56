"""Class shares corrected for errors: PPI++ written again, Rogan-Gladen by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steelyard.diagnostics.class_shares import class_shares, ppi_mean, rogan_gladen
from steelyard.types import ABSTAIN, Floats
from vote_tables import votes


def draw(rng: np.random.Generator, n: int, size: int, share: float) -> tuple[Floats, ...]:
    """True values and predictions with sensitivity .9 and specificity .75."""
    truth = (rng.random(n + size) < share).astype(float)
    said = np.where(rng.random(n + size) < np.where(truth, 0.9, 0.25), 1.0, 0.0)
    return truth[:n], said[:n], said[n:]


@given(st.integers(0, 9999))
def test_ppi_is_its_formula_written_again(seed: int) -> None:
    y, f, g = draw(np.random.default_rng(seed), 60, 400, 0.4)
    n, size = len(y), len(g)
    everything = np.concatenate([f, g])
    covariance = ((y - y.mean()) * (f - f.mean())).sum() / (n - 1)
    variance = ((everything - everything.mean()) ** 2).sum() / (n + size - 1)
    lam = min(1, max(0, covariance / ((1 + n / size) * variance)))
    value = lam * g.mean() + (y - lam * f).mean()
    rest = y - lam * f
    error = lam**2 * variance / size + ((rest - rest.mean()) ** 2).sum() / (n - 1) / n
    half = stats.t.ppf(0.975, n - 1) * error**0.5
    span = ppi_mean(y, f, g)
    assert span.value == pytest.approx(value)
    assert span.low == pytest.approx(max(0, value - half), abs=1e-9)
    assert span.high == pytest.approx(min(1, value + half), abs=1e-9)


def test_useless_predictions_leave_the_mean_of_the_truth() -> None:
    y = np.repeat([0.0, 1.0], 50)
    opposite = ppi_mean(y, 1 - y, np.ones(500))
    assert opposite.value == pytest.approx(0.5)  # lam = 0
    assert ppi_mean(y, np.ones(100), np.ones(500)).value == pytest.approx(0.5)  # no variance


def test_perfect_predictions_use_all_items() -> None:
    y = np.repeat([0.0, 1.0], [40, 60])
    span = ppi_mean(y, y, np.repeat([0.0, 1.0], [8000, 2000]))
    assert abs(span.value - 0.2) < 0.01
    assert span.high - span.low < 0.05


def test_rogan_gladen_by_hand() -> None:
    # 100 known: 40 positive, 36 of them found (TPR .9); 60 negative, 15 called positive (TNR .75).
    # All 1,000: 51 + 449 = 500 positive, p = .5: (.5 + .75 - 1) / (.9 + .75 - 1) = .25 / .65
    truth = np.repeat([1.0, 0.0], [40, 60])
    said = np.concatenate([np.repeat([1.0, 0.0], [36, 4]), np.repeat([1.0, 0.0], [15, 45])])
    rest = np.repeat([1.0, 0.0], [449, 451])
    span = rogan_gladen(truth, said, rest)
    assert span is not None
    assert span.value == pytest.approx(0.25 / 0.65)
    assert span.low < span.value < span.high


def test_rogan_gladen_refuses_a_judge_near_chance() -> None:
    truth = np.repeat([1.0, 0.0], 50)
    said = np.tile([1.0, 0.0], 50)
    assert rogan_gladen(truth, said, said) is None
    assert rogan_gladen(np.ones(20), np.ones(20), said) is None  # no negative item


def test_shares_of_labels_and_voters() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 900, p=[0.6, 0.3, 0.1])
    rows = np.where(rng.random((900, 2)) < 0.8, truth[:, None], rng.integers(0, 3, (900, 2)))
    rows[500:, 1] = ABSTAIN
    partial = np.where(np.arange(900) < 200, truth, ABSTAIN)
    found = class_shares(votes(rows, 3), rows[:, 0], partial)
    assert [(entry.voter, entry.items, entry.true_items) for entry in found] == [
        *(("", 900, 200), ("v0", 900, 200), ("v1", 500, 200))
    ]
    assert sum(entry.raw for entry in found[0].classes) == pytest.approx(1)
    for share, true in zip(found[0].classes, np.bincount(truth) / 900, strict=True):
        for span in (share.ppi, share.rogan_gladen):
            assert span is not None
            assert span.low < true < span.high
        assert share.truth is not None
        assert share.ppi is not None
        assert share.ppi.high - share.ppi.low < share.truth.high - share.truth.low


def test_little_truth_gives_raw_shares_alone() -> None:
    truth = np.where(np.arange(50) < 9, 0, ABSTAIN)
    found = class_shares(votes([[0, 1]] * 50, 2), np.zeros(50, dtype=int), truth)
    assert found[0].classes[0].raw == 1
    assert found[0].classes[0].ppi is found[0].classes[0].rogan_gladen is None


@pytest.mark.slow
@pytest.mark.parametrize(("n", "share"), [(50, 0.5), (100, 0.3), (200, 0.1), (400, 0.5)])
def test_intervals_cover(n: int, share: float) -> None:
    """2,000 worlds: each 95 % interval holds the share of the population 93 to 97 times in 100."""
    rng = np.random.default_rng(n)
    hits = np.zeros(2)
    trials = np.zeros(2)
    for _run in range(2000):
        arrays = draw(rng, n, 1000, share)
        for i, span in enumerate((ppi_mean(*arrays), rogan_gladen(*arrays, resamples=300))):
            if span is not None:
                trials[i] += 1
                hits[i] += span.low <= share <= span.high
    assert 0.93 <= hits[0] / trials[0] <= 0.97
    assert 0.92 <= hits[1] / trials[1] <= 0.985
