"""Token objectives, by hand and against sums over the vocabulary."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from steelyard.objectives.evidential import evidential
from steelyard.objectives.evidential_tokens import edl_step
from steelyard.objectives.tokens import logconf_step, soft, soft_step, xent
from steelyard.objectives.uniform_tokens import dir_loss, edl_confer, soft_confer
from steelyard.objectives.whole_answers import logconf, logconf_confer

Z = torch.tensor([[1.0, 0.0, -1.0, 0.5]])
LABEL = torch.tensor([0])
STRENGTH = torch.tensor([0.6])


def target_of(logits: Tensor, labels: Tensor, strengths: Tensor) -> Tensor:
    """t over the vocabulary, as the paper writes it."""
    probs = torch.softmax(logits, dim=1)
    own = probs.gather(1, labels[:, None])
    rest = probs * (1 - strengths)[:, None] / (1 - own)
    return rest.scatter(1, labels[:, None], strengths[:, None].to(rest.dtype)).detach()


def drawn(seed: int, tokens: int = 5, words: int = 9) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(tokens, words, generator=generator, dtype=torch.float64)
    labels = torch.randint(words, (tokens,), generator=generator)
    labels[0] = logits[0].argmax()  # label and argmax agree at times
    return logits, labels, torch.rand(tokens, generator=generator, dtype=torch.float64)


def test_the_divergence_by_hand() -> None:
    # p = (.47399, .17437, .06415, .28749); .6 ln(.6 / .47399) + .4 ln(.4 / .52601) = .0319034;
    # t_k = p_k * .4 / .52601, and the gradient is p - t.
    logits = Z.clone().requires_grad_()
    loss = soft(logits, LABEL, STRENGTH)
    loss.backward()
    assert loss.item() == pytest.approx(0.0319034, abs=1e-7)
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx(
        [-0.126009, 0.041772, 0.015367, 0.068870], abs=1e-6
    )


@given(st.integers(0, 10_000))
def test_the_divergence_is_that_over_the_vocabulary_with_gradient_p_minus_t(seed: int) -> None:
    logits, labels, strengths = drawn(seed)
    target = target_of(logits, labels, strengths)
    logits.requires_grad_()
    log_probs = torch.log_softmax(logits, dim=1)
    whole = (target * (target.log() - log_probs)).sum(dim=1)
    ours = soft(logits, labels, strengths)
    torch.testing.assert_close(ours, whole)
    (gradient,) = torch.autograd.grad(ours.sum(), logits)
    torch.testing.assert_close(gradient, log_probs.exp() - target)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_divergence_is_finite_where_probabilities_round(dtype: torch.dtype) -> None:
    # p_l rounds to 1 in float32 at d > 17; s = 0, .6, 1 with z_l = 1e4 above or below the others.
    logits = torch.zeros(9, 4, dtype=dtype)
    logits[:3, 0], logits[3:6, 0], logits[6:, 0] = 1e4, -1e4, 30.0
    strengths = torch.tensor([0.0, 0.6, 1.0] * 3)
    logits.requires_grad_()
    loss = soft(logits, torch.zeros(9, dtype=torch.long), strengths)
    loss.sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    # d = z_l - ln 3. s = 0 above: -ln(1 - p) = d; s = 1 below: -ln p = -d; s = 1 above: 0.
    d = float(logits.detach()[0, 0]) - 1.0986
    assert loss[0].item() == pytest.approx(d, rel=1e-5)
    assert loss[2].item() == 0
    assert loss[5].item() == pytest.approx(d + 2 * 1.0986, rel=1e-5)
    # s = .6 at d = 30 - ln 3 = 28.901: .4 * 28.901 - H(.6) = 11.5606 - .6730.
    assert loss[7].item() == pytest.approx(10.8876, abs=1e-3)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_soft_step_is_the_divergence_over_the_vocabulary(seed: int, c: float) -> None:
    logits, labels, strengths = drawn(seed)
    own = torch.nn.functional.one_hot(logits.argmax(dim=1), 9)
    target = (1 - c) * target_of(logits, labels, strengths) + c * own
    logits.requires_grad_()
    log_probs = torch.log_softmax(logits, dim=1)
    ours = soft_step(logits, labels, strengths, c)
    torch.testing.assert_close(
        ours, (torch.special.xlogy(target, target) - target * log_probs).sum(dim=1)
    )
    (gradient,) = torch.autograd.grad(ours.sum(), logits)
    torch.testing.assert_close(gradient, log_probs.exp() - target)


@given(st.integers(0, 10_000))
def test_without_a_coefficient_steps_are_what_they_start_from(seed: int) -> None:
    logits, labels, strengths = drawn(seed)
    torch.testing.assert_close(
        soft_step(logits, labels, strengths, 0.0), soft(logits, labels, strengths)
    )
    torch.testing.assert_close(logconf_step(logits, labels, 0.0), xent(logits, labels))
    sure = torch.ones(5, dtype=torch.float64)  # a sure label: soft is cross-entropy
    torch.testing.assert_close(soft(logits, labels, sure), xent(logits, labels))


def test_logconf_step_by_hand() -> None:
    # c = .25, label 1: -.75 ln .17437 - .25 ln .47399 = .75 * 1.746573 + .25 * .746573.
    loss = logconf_step(Z, torch.tensor([1]), 0.25).item()
    assert loss == pytest.approx(0.75 * 1.746573 + 0.25 * 0.746573, abs=1e-5)


@given(st.integers(0, 10_000))
def test_edl_is_the_evidential_loss_of_the_soft_target(seed: int) -> None:
    logits, labels, strengths = drawn(seed)
    target = target_of(logits, labels, strengths)
    own = torch.nn.functional.one_hot(logits.argmax(dim=1), 9)

    def whole(target: Tensor) -> Tensor:
        return evidential(logits, target, evidence="exp", kl_weight=0.01, soft_mode="target")

    ours = edl_step(logits, labels, strengths, 0.0, kl_weight=0.01).mean()
    torch.testing.assert_close(ours, whole(target))
    ours = edl_step(logits, labels, strengths, 0.3, kl_weight=0.01).mean()
    torch.testing.assert_close(ours, whole(0.7 * target + 0.3 * own))
    hard = torch.nn.functional.one_hot(labels, 9)
    torch.testing.assert_close(
        edl_step(logits, labels, None, 0.0, kl_weight=0.01).mean(), whole(hard)
    )


def test_edl_by_hand() -> None:
    # One-hot at 0: A = .962454 and KL = .547357; KL held at .001 by the clamp.
    assert edl_step(Z, LABEL, None, 0.0, kl_weight=1e-4).item() == pytest.approx(0.962509, abs=1e-5)
    clamped = edl_step(Z, LABEL, None, 0.0, kl_weight=1.0, clamp=0.001).item()
    assert clamped == pytest.approx(0.963454, abs=1e-5)


def test_a_target_that_is_not_held_fixed_has_another_gradient_of_the_same_value() -> None:
    logits = Z.clone().requires_grad_()
    values = [
        edl_step(logits, LABEL, STRENGTH, 0.0, kl_weight=0.1, detached=d) for d in (True, False)
    ]
    assert values[0].item() == pytest.approx(values[1].item())
    held, free = (torch.autograd.grad(value.sum(), logits)[0] for value in values)
    assert (held - free).abs().max() > 1e-3
    assert torch.autograd.gradcheck(
        lambda z: edl_step(z, LABEL, STRENGTH, 0.0, kl_weight=0.1, detached=False),
        Z.double().requires_grad_(),
    )


OBJECTIVES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "xent": lambda z, labels, s: xent(z, labels),
    "soft": soft,
    "soft_step": lambda z, labels, s: soft_step(z, labels, s, 0.4),
    "logconf_step": lambda z, labels, s: logconf_step(z, labels, 0.4),
    "edl": lambda z, labels, s: edl_step(z, labels, s, 0.0, kl_weight=1e-4, clamp=20),
    "edl_step": lambda z, labels, s: edl_step(z, labels, s, 0.4, kl_weight=1e-4, detached=False),
    "soft_confer": lambda z, labels, s: soft_confer(z, labels, s, 0.8),
    "edl_conf": lambda z, labels, s: edl_confer(z, labels, s, 0.0, kl_weight=1e-4, clamp=20),
    "edl_confer": lambda z, labels, s: edl_confer(z, labels, s, 1.5, kl_weight=1e-4, clamp=20),
    "dir": dir_loss,
    "logconf": lambda z, labels, s: logconf(z, labels, s > 0.4),
    "logconf_confer": lambda z, labels, s: logconf_confer(z, labels, s > 0.4, 0.4),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_real_vocabulary_in_half_precision(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(6, 32_000, generator=generator)
    labels = torch.randint(32_000, (6,), generator=generator)
    logits[0, labels[0]], logits[1, 7] = 1e4, 1e4
    strengths = torch.tensor([0.0, 0.3, 1.0, 0.5, 0.999999, 1e-9])
    half = logits.bfloat16().requires_grad_()
    loss = OBJECTIVES[name](half, labels, strengths)
    assert loss.shape == (6,)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss).all()
    loss.sum().backward()
    assert half.grad is not None
    assert torch.isfinite(half.grad).all()
    exact = OBJECTIVES[name](half.detach().double(), labels, strengths.double())
    torch.testing.assert_close(loss.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_tokens_in_parts_are_tokens_at_once(name: str) -> None:
    logits, labels, strengths = drawn(8)
    whole = OBJECTIVES[name](logits, labels, strengths)
    parts = [
        OBJECTIVES[name](logits[i : i + 2], labels[i : i + 2], strengths[i : i + 2])
        for i in range(0, 5, 2)
    ]
    torch.testing.assert_close(torch.cat(parts), whole)
