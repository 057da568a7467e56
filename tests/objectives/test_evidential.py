"""Evidential losses, by hand, against torch and in extremes."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Dirichlet, kl_divergence

from steelyard.objectives.dirichlet import Evidence, dirichlet_mean
from steelyard.objectives.evidential import SoftMode, evidential

LOGITS = torch.tensor([[1.0, 0.0, -1.0, 0.5]])
HARD, OTHER, SOFT = [1.0, 0, 0, 0], [0, 0, 1.0, 0], [0.7, 0.1, 0.1, 0.1]
KINDS: list[Evidence] = ["exp", "relu", "softplus"]
MODES: list[SoftMode] = ["target", "expected", "argmax"]


def loss(logits: torch.Tensor, targets: Any, **settings: Any) -> torch.Tensor:
    return evidential(logits, torch.as_tensor(targets), **{"soft_mode": "target", **settings})


@pytest.mark.parametrize(
    ("kind", "target", "fit", "kl"),
    [
        # exp: alpha = 3.7183, 2, 1.3679, 2.6487, S = 9.7349: ln(S / alpha_0) = .962454.
        ("exp", HARD, 0.962454, 0.547357),
        ("exp", OTHER, 1.962454, 0.933036),
        ("exp", SOFT, 1.158384, 0.408082),
        # relu: alpha = 2, 1, 1, 1.5, S = 5.5: ln(5.5 / 2) = 1.011601.
        ("relu", HARD, 1.011601, 0.106569),
        ("relu", OTHER, 1.704748, 0.311226),
        ("relu", SOFT, 1.178999, 0.103655),
        ("softplus", HARD, 1.148359, 0.296692),
        ("softplus", OTHER, 1.714504, 0.457485),
        ("softplus", SOFT, 1.252036, 0.207554),
    ],
)
def test_by_hand(kind: Evidence, target: list[float], fit: float, kl: float) -> None:
    assert loss(LOGITS, [target], evidence=kind, kl_weight=0).item() == pytest.approx(fit, abs=2e-6)
    whole = loss(LOGITS, [target], evidence=kind, kl_weight=1.0).item()
    assert whole == pytest.approx(fit + kl, abs=4e-6)
    tenth = loss(LOGITS, [target], evidence=kind, kl_weight=0.1).item()
    assert tenth == pytest.approx(fit + 0.1 * kl, abs=4e-6)


def test_a_soft_label_read_in_three_ways() -> None:
    # KL of the soft label .4081; expected over hard ones .6598; of the most probable .5474.
    values = [loss(LOGITS, [SOFT], evidence="exp", kl_weight=1, soft_mode=m).item() for m in MODES]
    assert values == pytest.approx([1.158384 + 0.4081, 1.158384 + 0.6598, 1.509811], abs=1e-4)
    hard = [loss(LOGITS, [OTHER], evidence="exp", kl_weight=1, soft_mode=m).item() for m in MODES]
    assert hard == pytest.approx([hard[0]] * 3)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10_000), answers=st.integers(2, 12))
def test_against_torch_and_minus_the_log_of_the_mean(
    kind: Evidence, seed: int, answers: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(4, answers, generator=generator, dtype=torch.float64)
    label = torch.randint(answers, (4,), generator=generator)
    targets = torch.eye(answers, dtype=torch.float64)[label]
    functions = {"exp": torch.exp, "relu": torch.relu, "softplus": torch.nn.functional.softplus}
    without = functions[kind](logits) * (1 - targets) + 1
    kl = kl_divergence(Dirichlet(without), Dirichlet(torch.ones_like(without)))
    mean = dirichlet_mean(logits, kind)[torch.arange(4), label]
    torch.testing.assert_close(
        loss(logits, targets, evidence=kind, kl_weight=0.3), (-mean.log() + 0.3 * kl).mean()
    )


@given(st.integers(0, 10_000))
def test_expected_is_the_mean_over_drawn_labels(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 4, generator=generator, dtype=torch.float64)
    targets = torch.softmax(torch.randn(1, 4, generator=generator, dtype=torch.float64), dim=1)
    each = [loss(logits, torch.eye(4)[k : k + 1], evidence="exp", kl_weight=1) for k in range(4)]
    torch.testing.assert_close(
        loss(logits, targets, evidence="exp", kl_weight=1, soft_mode="expected"),
        (targets[0] * torch.stack(each)).sum(),
    )


@given(st.integers(0, 10_000))
def test_without_the_divergence_expected_and_target_have_one_gradient(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 4, generator=generator).requires_grad_()
    targets = torch.softmax(torch.randn(3, 4, generator=generator), dim=1)
    gradients = [
        torch.autograd.grad(
            loss(logits, targets, evidence="softplus", kl_weight=0, soft_mode=mode), logits
        )[0]
        for mode in ("target", "expected")
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_gradients(kind: Evidence, mode: SoftMode) -> None:
    generator = torch.Generator().manual_seed(4)
    logits = 3 * torch.randn(3, 4, generator=generator, dtype=torch.float64)
    targets = torch.softmax(torch.randn(3, 4, generator=generator, dtype=torch.float64), dim=1)
    targets[0] = torch.tensor([0.0, 1, 0, 0])
    settings = {"evidence": kind, "soft_mode": mode, "self_weight": 0.5}
    assert torch.autograd.gradcheck(
        lambda z: loss(z, targets, kl_weight=0.7, **settings), logits.requires_grad_()
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_finite_up_to_ten_thousand(kind: Evidence, mode: SoftMode, dtype: torch.dtype) -> None:
    logits = torch.tensor(
        [[1e4, -1e4, 0.0], [88.0, 89.0, -1.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]], dtype=dtype
    ).requires_grad_()
    targets = torch.tensor([[0.0, 1, 0], [0.2, 0.3, 0.5], [1.0, 0, 0], [0.0, 0, 1]])
    value = loss(logits, targets, evidence=kind, kl_weight=1, soft_mode=mode)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    if kind == "exp" and mode == "target":
        # Row 0: ln S - ln alpha_1 = 1e4 - 0, and KL(Dir(1e4-fold sure) || uniform) is about
        # (K - 1) ln S: with K = 3, 2e4, so 3e4 for one row of four.
        first = loss(logits[:1], targets[:1], evidence=kind, kl_weight=1).item()
        assert first == pytest.approx(3e4, rel=3e-3)


def test_the_self_term_is_the_loss_of_the_students_own_answer() -> None:
    settings: dict[str, Any] = {"evidence": "relu", "kl_weight": 0.5}
    other = loss(LOGITS, [OTHER], **settings)
    own = loss(LOGITS, [HARD], **settings)  # the argmax is answer 0
    mixed = loss(LOGITS, [OTHER], self_weight=0.25, **settings)
    torch.testing.assert_close(mixed, 0.75 * other + 0.25 * own)


def test_weights_are_factors_of_examples() -> None:
    logits, targets = LOGITS.repeat(2, 1), torch.tensor([HARD, OTHER])
    # exp, no divergence: (.5 * .962454 + 3 * 1.962454) / 2.
    value = loss(logits, targets, evidence="exp", kl_weight=0, weights=torch.tensor([0.5, 3.0]))
    assert value.item() == pytest.approx((0.5 * 0.962454 + 3 * 1.962454) / 2, abs=1e-5)
