"""What a Dirichlet distribution says, against torch.distributions and in extremes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Dirichlet, kl_divergence

from steelyard.objectives.dirichlet import (
    Evidence,
    digamma_of_log,
    dirichlet_mean,
    divergence_from_uniform,
    expected_entropy,
    log_alpha,
    log_density,
    log_mean_alpha,
    vacuity,
)

KINDS: list[Evidence] = ["exp", "relu", "softplus"]
FUNCTIONS = {
    "exp": torch.exp,
    "relu": torch.relu,
    "softplus": torch.nn.functional.softplus,
}


def test_vacuity_and_mean_by_hand() -> None:
    # alpha = e^(1, 0, -1, .5) + 1 = 3.7183, 2, 1.3679, 2.6487; S = 9.7349; 4 / S = .4109.
    logits = torch.tensor([[1.0, 0.0, -1.0, 0.5]])
    assert vacuity(logits, "exp").item() == pytest.approx(0.4109, abs=1e-4)
    assert dirichlet_mean(logits, "exp")[0, 0].item() == pytest.approx(3.7183 / 9.7349, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10_000), answers=st.integers(2, 50), scale=st.floats(0.01, 8))
def test_the_divergence_is_torchs(kind: Evidence, seed: int, answers: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(5, answers, generator=generator, dtype=torch.float64)
    alpha = FUNCTIONS[kind](logits) + 1
    ours = divergence_from_uniform(log_alpha(logits, kind), log_mean_alpha(logits, kind))
    theirs = kl_divergence(Dirichlet(alpha), Dirichlet(torch.ones_like(alpha)))
    total = alpha.sum(dim=1)
    rounding = 1e-15 * float((total * total.log()).max())  # of torch's terms, which cancel
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8 + rounding)
    torch.testing.assert_close(dirichlet_mean(logits, kind), Dirichlet(alpha).mean)


def test_the_divergence_in_float32_is_that_in_float64() -> None:
    """Of evidence up to e^12, where the textbook formula in float32 is wrong by a tenth."""
    generator = torch.Generator().manual_seed(0)
    logits = 6 * torch.randn(50, 10, generator=generator)
    exact = kl_divergence(
        Dirichlet(logits.double().exp() + 1), Dirichlet(torch.ones(50, 10, dtype=torch.float64))
    )
    ours = divergence_from_uniform(log_alpha(logits, "exp"), log_mean_alpha(logits, "exp"))
    assert (ours.double() - exact).abs().max() < 1e-3
    textbook = kl_divergence(Dirichlet(logits.exp() + 1), Dirichlet(torch.ones(50, 10)))
    assert (textbook.double() - exact).abs().max() > 0.1


def test_the_density_is_torchs() -> None:
    """Of alpha from 1e-6 to e^12; in float32 to the precision of the largest."""
    generator = torch.Generator().manual_seed(0)
    logs = (6 * torch.randn(50, 1000, generator=generator)).clamp(-13.8, 12)
    targets = torch.log_softmax(torch.randn(50, 1000, generator=generator), dim=1)
    wide = logs.double().requires_grad_()
    exact = Dirichlet(wide.exp(), validate_args=False).log_prob(targets.double().exp())
    ours = log_density(wide, targets.double())
    torch.testing.assert_close(ours, exact)
    slopes = [torch.autograd.grad(each.sum(), wide)[0] for each in (ours, exact)]
    torch.testing.assert_close(*slopes)
    error = (log_density(logs, targets) - exact).abs().max()
    assert error < 1e-6 * exact.abs().max()


def test_no_evidence_is_no_divergence() -> None:
    for answers in (2, 20, 32_000):
        none = torch.full((1, answers), -1e4)
        for kind in KINDS:
            ours = divergence_from_uniform(log_alpha(none, kind), log_mean_alpha(none, kind))
            assert ours.item() == pytest.approx(0, abs=1e-6)
            assert vacuity(none, kind).item() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_where_the_formulas_meet(kind: Evidence) -> None:
    # alpha from 1 to e^6 crosses the seam at 20 in single entries and in their sum.
    logits = torch.linspace(-2, 6, 12, dtype=torch.float64).reshape(4, 3).requires_grad_()

    def divergence(z: torch.Tensor) -> torch.Tensor:
        return divergence_from_uniform(log_alpha(z, kind), log_mean_alpha(z, kind))

    assert torch.autograd.gradcheck(divergence, logits)
    assert torch.autograd.gradcheck(lambda z: expected_entropy(z, kind), logits)


@given(st.floats(0, 600))
def test_digamma_from_the_logarithm(log: float) -> None:
    value = torch.tensor(log, dtype=torch.float64)
    torch.testing.assert_close(
        digamma_of_log(value), torch.digamma(value.exp()), rtol=1e-11, atol=1e-11
    )


@pytest.mark.parametrize("kind", KINDS)
def test_expected_entropy_is_that_of_draws(kind: Evidence) -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0, 0.5], [4.0, 0.0, 1.0, 0.0]])
    torch.manual_seed(0)
    draws = Dirichlet(FUNCTIONS[kind](logits) + 1).sample((20_000,))
    sampled = torch.distributions.Categorical(draws).entropy().mean(dim=0)
    ours = expected_entropy(logits, kind)
    assert (ours - sampled).abs().max() < 0.01  # sd of an entropy < .4: 4 * .4 / sqrt(20,000)
    total = torch.distributions.Categorical(dirichlet_mean(logits, kind)).entropy()
    assert (total >= ours).all()


@pytest.mark.parametrize("kind", KINDS)
def test_read_outs_are_finite_in_extremes(kind: Evidence) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [1e4, 1e4, 0.0]], dtype=torch.bfloat16)
    for value in (vacuity(logits, kind), expected_entropy(logits, kind)):
        assert torch.isfinite(value).all()
        assert (value >= 0).all()
    assert expected_entropy(logits, kind)[1].item() == pytest.approx(0.6931, abs=2e-3)
