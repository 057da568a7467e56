"""Losses over one distribution per example, by hand, against torch and the authors' formulas."""

from collections.abc import Callable
from math import exp, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from steelyard.objectives.one_label import (
    confidence,
    cross_entropy,
    entropy_loss,
    midweak_radius,
    product,
    reverse_kl,
    window,
)

LOGITS = torch.tensor([[2.0, 0.0], [0.5, 0.0], [0.0, 0.3], [-1.0, 1.0]])
TARGETS = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
""" p(class 0) is .8808, .6225, .4256, .1192. """

LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": cross_entropy,
    "confidence": lambda z, q, weights=None: confidence(
        z, q, 0.5, offsets=torch.tensor([0.3, 0.0, -0.2]), weights=weights
    ),
    "product": product,
    "window": window,
    "entropy": lambda z, q, weights=None: entropy_loss(z, q, 0.3, weights=weights),
    "reverse_kl": reverse_kl,
}


def drawn(seed: int, rows: int = 6, answers: int = 3) -> tuple[Tensor, Tensor]:
    """Logits and soft targets, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, answers, generator=generator, dtype=torch.float64)
    targets = torch.randn(rows, answers, generator=generator, dtype=torch.float64)
    return logits, torch.softmax(targets, dim=1)


def test_soft_targets_by_hand() -> None:
    # First row: -(.9 ln .8808 + .1 ln .1192) = .3269;
    # the others .7741, .7644, .5269; mean .598072.
    assert cross_entropy(LOGITS, TARGETS, torch.ones(4)).item() == pytest.approx(0.598072, abs=1e-6)


def test_a_weight_is_a_factor_of_its_example() -> None:
    logits, targets = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.eye(2)
    first, second = log(1 + exp(-1)), log(1 + exp(-2))  # 0.3133, 0.1269
    loss = cross_entropy(logits, targets, torch.tensor([0.5, 1.5]))
    assert loss.item() == pytest.approx((0.5 * first + 1.5 * second) / 2, abs=1e-6)


@given(st.integers(0, 10_000), st.floats(0.1, 9))
def test_weights_of_one_are_torchs_and_scale_the_loss(seed: int, factor: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 4, generator=generator)
    targets = torch.softmax(torch.randn(6, 4, generator=generator), dim=1)
    loss = cross_entropy(logits, targets, torch.ones(6))
    torch.testing.assert_close(loss, functional.cross_entropy(logits, targets))
    torch.testing.assert_close(
        cross_entropy(logits, targets, torch.full((6,), factor)), loss * factor
    )


def test_an_option_that_is_not_there_changes_nothing() -> None:
    logits = torch.tensor([[1.0, 0.0, -1e9]], requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([[1.0, 0.0, 0.0]]), torch.ones(1))
    loss.backward()
    assert loss.item() == pytest.approx(log(1 + exp(-1)), abs=1e-6)
    assert logits.grad is not None
    assert logits.grad[0, 2].item() == 0.0


def test_half_precision_logits_are_widened() -> None:
    logits = torch.tensor([[300.0, 0.0]], dtype=torch.bfloat16)
    loss = cross_entropy(logits, torch.tensor([[0.0, 1.0]]), torch.ones(1))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(300.0)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_weights_are_factors_of_examples(name: str, seed: int) -> None:
    loss, (logits, targets) = LOSSES[name], drawn(seed)
    weights = torch.tensor([0.0, 1.0, 2.0, 0.5, 3.0, 1.0])
    each = torch.stack([loss(logits[i : i + 1], targets[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(loss(logits, targets), each.mean())
    torch.testing.assert_close(loss(logits, targets, weights=weights), (weights * each).sum() / 6)
    torch.testing.assert_close(
        loss(logits, targets, weights=3 * weights), 3 * loss(logits, targets, weights=weights)
    )


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"confidence", "product", "window"}))
def test_gradients(name: str) -> None:
    # Those left out hold a target or a choice fixed: their gradient is that of cross-entropy with
    # it, not that of their value.
    logits, targets = drawn(3)
    assert torch.autograd.gradcheck(
        lambda z: LOSSES[name](z, targets), logits.requires_grad_(), raise_exception=True
    )


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_half_precision_logits_have_a_finite_loss_and_gradient(name: str) -> None:
    logits = torch.tensor([[300.0, -300, 0], [-1e4, 1e4, 0]], dtype=torch.bfloat16)
    logits.requires_grad_()
    loss = LOSSES[name](logits, torch.tensor([[0.0, 1.0, 0.0], [0.7, 0.1, 0.2]]))
    assert loss.dtype == torch.float32
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize(
    ("coefficient", "loss"), [(0, 0.598072), (0.25, 0.528697), (0.5, 0.459322), (0.75, 0.389947)]
)
def test_confidence_by_hand(coefficient: float, loss: float) -> None:
    # Mean weak label (.55, .45). The .45 quantile of p0 lies between .4256 and .6225, so that two
    # of the four are hardened to class 0: (1, 1, 0, 0). With c = 1/2 the first target is
    # (.95, .05): -(.95 ln .8808 + .05 ln .1192) = .2269.
    assert confidence(LOGITS, TARGETS, coefficient).item() == pytest.approx(loss, abs=1e-6)


@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0, 1))
def test_confidence_is_the_authors_with_two_answers(seed: int, rows: int, c: float) -> None:
    logits, targets = drawn(seed, rows, 2)
    logits, targets = logits.float(), targets.float()
    probs, prior = torch.softmax(logits, dim=1), targets.mean(dim=0)
    first = probs[:, 0] >= torch.quantile(probs[:, 0], prior[1])
    mixed = (1 - c) * targets + c * torch.stack([first, ~first], dim=1)
    torch.testing.assert_close(
        confidence(logits, targets, c), functional.cross_entropy(logits, mixed)
    )


@given(st.integers(0, 10_000))
def test_no_confidence_is_cross_entropy(seed: int) -> None:
    logits, targets = drawn(seed)
    torch.testing.assert_close(confidence(logits, targets, 0.0), cross_entropy(logits, targets))


@given(st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_confidence_has_no_gradient_through_what_is_hardened(seed: int, c: float) -> None:
    logits, targets = drawn(seed)
    logits.requires_grad_()
    confidence(logits, targets, c, offsets=torch.zeros(3)).backward()
    probs = torch.softmax(logits.detach(), dim=1)
    own = functional.one_hot(probs.argmax(dim=1), 3)
    torch.testing.assert_close(logits.grad, (probs - (1 - c) * targets - c * own) / 6)


def test_product_by_hand() -> None:
    # First row: .8808 * .9 : .1192 * .1 = .98519 : .01481, CE .1526. Mean of the four: .451404.
    assert product(LOGITS, TARGETS).item() == pytest.approx(0.451404, abs=1e-6)
    probs = torch.softmax(LOGITS, dim=1)
    target = probs * TARGETS
    target /= target.sum(dim=1, keepdim=True)
    torch.testing.assert_close(product(LOGITS, TARGETS), functional.cross_entropy(LOGITS, target))


def test_product_without_the_student_is_cross_entropy_and_hard_labels_stay() -> None:
    torch.testing.assert_close(
        product(LOGITS, TARGETS, student_power=0.0), cross_entropy(LOGITS, TARGETS)
    )
    hard = torch.eye(2)[[1, 1, 0, 0]]
    torch.testing.assert_close(product(100 * LOGITS, hard), cross_entropy(100 * LOGITS, hard))
    torch.testing.assert_close(  # without the label the target is p: its entropy
        product(LOGITS, hard, label_power=0.0),
        torch.distributions.Categorical(logits=LOGITS).entropy().mean(),
    )


def test_window_by_hand() -> None:
    # max p = .8808, .6225, .5744, .8808: the middle two are below .65. (.7741 + .7644) / 4.
    assert window(LOGITS, TARGETS).item() == pytest.approx((0.7741 + 0.7644) / 4, abs=1e-4)
    three = torch.cat([LOGITS, torch.full((4, 1), -1e9)], dim=1)  # one more that nobody has
    padded = torch.cat([TARGETS, torch.zeros(4, 1)], dim=1)
    torch.testing.assert_close(window(three, padded), window(LOGITS, TARGETS))


def test_midweak_radius_is_the_median_distance_from_a_half() -> None:
    # .4, .1, .2, .3: median .25; hard labels 1/2.
    assert midweak_radius(TARGETS) == pytest.approx(0.25)
    assert midweak_radius(torch.eye(3)) == 0.5


def test_entropy_by_hand_and_its_detached_form_is_a_smaller_step() -> None:
    logits, targets = drawn(5)
    logits.requires_grad_()
    own = torch.distributions.Categorical(logits=logits).entropy().mean()
    loss = entropy_loss(logits, targets, 0.4)
    torch.testing.assert_close(loss, 0.6 * cross_entropy(logits, targets) + 0.4 * own)
    detached = entropy_loss(logits, targets, 0.4, detached=True)
    assert detached.item() == pytest.approx(loss.item())
    (gradient,) = torch.autograd.grad(detached, logits)
    torch.testing.assert_close(gradient, 0.6 * (torch.softmax(logits, dim=1) - targets) / 6)


def test_reverse_divergence_is_torchs_and_zero_at_the_target() -> None:
    logits, targets = drawn(6)
    torch.testing.assert_close(
        reverse_kl(logits, targets, floor=1e-300),
        functional.kl_div(targets.log(), torch.softmax(logits, dim=1), reduction="batchmean"),
    )
    assert reverse_kl(targets.log(), targets).item() == pytest.approx(0, abs=1e-12)


def test_a_sure_wrong_label_costs_reverse_divergence_the_floor() -> None:
    # p = (1/2, 1/2), label (1, 0): 1/2 (ln 1/2 - ln 1) + 1/2 (ln 1/2 - ln e^-4) = 2 - ln 2.
    loss = reverse_kl(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), floor=exp(-4))
    assert loss.item() == pytest.approx(2 - log(2), abs=1e-6)
