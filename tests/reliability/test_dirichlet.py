"""Dirichlets by hand, against scipy, and recovered from draws."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import gammaln, psi
from scipy.stats import dirichlet, entropy

from steelyard.reliability import Dirichlet
from steelyard.reliability.dirichlet import fit_dirichlet, uncertainties
from steelyard.types import ABSTAIN
from vote_tables import votes


def test_hard_votes_are_counts_by_hand() -> None:
    table = votes([[0, 0, 0, 1, ABSTAIN]], answers=2)
    # alpha = 1 + (3, 1) = (4, 2), P = (2/3, 1/3). psi(n) = H_(n-1) - gamma, so
    # E[H] = H_6 - 2/3 H_4 - 1/3 H_2 = 2.45 - 1.388889 - 0.5 = 0.561111 nats
    expected = 2.45 - 2 / 3 * (25 / 12) - 1 / 3 * 1.5
    first = Dirichlet().estimate(table)
    np.testing.assert_allclose(first.posterior, [[2 / 3, 1 / 3]])
    assert first.score[0] == pytest.approx(1 - expected / log(2), abs=1e-12)
    # H(2/3, 1/3) = 0.636514, minus 0.561111
    mutual = Dirichlet(measure="mutual_information").estimate(table).score[0]
    assert mutual == pytest.approx(1 - (0.636514 - 0.561111) / log(2), abs=1e-5)
    assert Dirichlet(measure="vacuity").estimate(table).score[0] == pytest.approx(1 - 2 / 6)


def test_more_votes_of_the_same_kind_are_more_reliable() -> None:
    few, many = votes([[0, 0]], answers=3), votes([[0] * 20], answers=3)
    for measure in ("expected_entropy", "mutual_information", "vacuity"):
        settings = Dirichlet(measure=measure)  # type: ignore[arg-type]
        assert settings.estimate(few).score[0] < settings.estimate(many).score[0]


def test_voters_that_differ_leave_mutual_information_and_unsure_ones_entropy() -> None:
    differ = votes([[0, 1] * 3], answers=2, probs=np.array([[0.98, 0.02], [0.02, 0.98]] * 3))
    unsure = votes([[0, 1] * 3], answers=2, probs=np.full((6, 2), 0.5))
    scores = {
        (name, measure): Dirichlet(measure=measure).estimate(table).score[0]  # type: ignore[arg-type]
        for name, table in (("differ", differ), ("unsure", unsure))
        for measure in ("expected_entropy", "mutual_information")
    }
    assert scores["unsure", "mutual_information"] > scores["differ", "mutual_information"] + 0.2
    assert scores["differ", "expected_entropy"] > scores["unsure", "expected_entropy"] + 0.2


@given(seed=st.integers(0, 9999))
def test_the_fit_is_scipys_maximum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k, n, prior = int(rng.integers(2, 5)), int(rng.integers(1, 6)), 0.7
    probs = rng.dirichlet(rng.gamma(1, 2, k) + 0.05, n)
    table = votes([probs.argmax(axis=1).tolist()], answers=k, probs=probs)
    alpha = Dirichlet(prior=prior)._fit(table)[0]
    logs = np.log(0.99 * probs + 0.01 / k).sum(axis=0) + prior * (psi(1) - psi(k))

    def loss(x: np.ndarray) -> float:
        a = np.exp(x)
        value = (n + prior) * (gammaln(a).sum() - gammaln(a.sum())) - ((a - 1) * logs).sum()
        return float(value)

    best = minimize(loss, np.zeros(k), method="BFGS", options={"gtol": 1e-9})
    assert loss(np.log(alpha)) <= best.fun + 1e-9
    np.testing.assert_allclose(alpha, np.exp(best.x), rtol=2e-3)


@given(
    st.lists(st.floats(-6, 8), min_size=2, max_size=6),
    st.integers(0, 2),
)
def test_any_dirichlet_is_found_again_from_its_mean_logarithms(
    logs: list[float], spare: int
) -> None:
    alpha = np.exp(logs)
    mean_log = np.concatenate([psi(alpha) - psi(alpha.sum()), np.zeros(spare)])
    possible = np.arange(len(mean_log)) < len(alpha)
    found = fit_dirichlet(mean_log[None], possible[None])[0]
    assert (found[len(alpha) :] == 0).all()
    residual = psi(found[: len(alpha)]) - psi(found.sum()) - mean_log[: len(alpha)]
    np.testing.assert_allclose(residual, 0, atol=1e-9)


def test_many_draws_give_their_dirichlet_back() -> None:
    probs = np.random.default_rng(0).dirichlet([5, 2, 1], 20_000)
    table = votes([probs.argmax(axis=1).tolist()], answers=3, probs=probs)
    alpha = Dirichlet(smoothing=1e-9)._fit(table)[0]
    np.testing.assert_allclose(alpha, [5, 2, 1], rtol=0.03)


def test_expected_entropy_is_the_mean_over_draws() -> None:
    alpha = np.array([[3.0, 0.5, 1.2, 0.0]])
    found = uncertainties(alpha, alpha > 0)
    drawn = dirichlet.rvs(alpha[0, :3], size=200_000, random_state=1)
    mean = entropy(drawn.T).mean() / log(3)
    assert found["expected_entropy"][0] == pytest.approx(mean, abs=2e-3)
    total = entropy(alpha[0, :3]) / log(3)
    assert found["mutual_information"][0] == pytest.approx(total - mean, abs=2e-3)


def test_no_votes_leave_the_uniform_dirichlet_and_score_zero() -> None:
    probs = np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    table = votes([[0, 1], [ABSTAIN, ABSTAIN]], answers=2, probs=probs)
    np.testing.assert_allclose(Dirichlet()._fit(table)[1], [1, 1])
    assert Dirichlet().estimate(table).score[1] == 0
