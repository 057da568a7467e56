"""Losses against wrong labels: by hand, against torch and the authors' code, and their limits."""

from math import log, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from steelyard.objectives import EarlyLearning, GeneralizedCrossEntropy
from steelyard.objectives.elr import early_learning
from steelyard.objectives.gce import generalized_cross_entropy
from steelyard.objectives.state import ObjectiveState, PastPredictions


def drawn(seed: int, rows: int = 6, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Logits and soft targets, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, classes)
    logits = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    targets = torch.randn(shape, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), torch.softmax(targets, dim=1)


def test_gce_by_hand() -> None:
    # p of the label is 1/4 and 1/2: with q = 1/2 (1 - 1/2) / .5 = 1 and (1 - .7071) / .5 = .5858
    logits = torch.tensor([[0.0, log(3)], [0.0, 0.0]])
    loss = generalized_cross_entropy(logits, torch.tensor([[1.0, 0.0], [0.0, 1.0]]), q=0.5)
    assert loss.item() == pytest.approx((1 + 2 - sqrt(2)) / 2, abs=1e-6)
    # a soft label (.5, .5) of the first row: p^.5 are 1/2 and .8660, losses 1 and .2679
    soft = generalized_cross_entropy(logits[:1], torch.tensor([[0.5, 0.5]]), q=0.5)
    assert soft.item() == pytest.approx((1 + 2 - sqrt(3)) / 2, abs=1e-6)


@given(st.integers(0, 10_000))
def test_gce_lies_between_cross_entropy_and_absolute_error(seed: int) -> None:
    logits, _ = drawn(seed)
    label = torch.arange(6) % 3
    targets = functional.one_hot(label, 3).double()
    near_zero = generalized_cross_entropy(logits, targets, q=1e-7)
    torch.testing.assert_close(
        near_zero, functional.cross_entropy(logits, label), rtol=1e-5, atol=0
    )
    absolute = (torch.softmax(logits, dim=1) - targets).abs().sum(dim=1).mean() / 2
    torch.testing.assert_close(generalized_cross_entropy(logits, targets, q=1.0), absolute)


def test_the_gradient_of_gce_is_that_of_the_cross_entropy_times_a_power_of_p() -> None:
    logits, _ = drawn(3)
    label = torch.tensor([0, 1, 2, 2, 1, 0])
    targets, weights = functional.one_hot(label, 3).double(), torch.arange(6, dtype=torch.float64)
    loss = generalized_cross_entropy(logits, targets, q=0.7, weights=weights)
    (slope,) = torch.autograd.grad(loss, logits)
    plain = (weights * functional.cross_entropy(logits, label, reduction="none")).mean()
    (expected,) = torch.autograd.grad(plain, logits)
    power = torch.softmax(logits, dim=1)[torch.arange(6), label] ** 0.7
    torch.testing.assert_close(slope, expected * power[:, None])


def test_gce_of_a_label_that_is_impossible_is_finite() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = GeneralizedCrossEntropy().loss(
        logits, torch.tensor([[0.0, 1.0]]), torch.ones(1), ObjectiveState()
    )
    loss.backward()
    assert loss.item() == pytest.approx(1 / 0.7)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_elr_by_hand() -> None:
    # p = (.8, .2), label 1, t = (.5, .25): <p, t> = .45; -ln .2 + 2 ln .55 = 1.6094 - 1.1957
    logits = torch.tensor([[log(4), 0.0]])
    loss = early_learning(
        logits, torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.25]]), strength=2.0
    )
    assert loss.item() == pytest.approx(-log(0.2) + 2 * log(0.55), abs=1e-6)


@given(st.integers(0, 10_000))
def test_elr_over_several_steps_is_the_authors(seed: int) -> None:
    """Written again from their code, `elr_loss`: a table of targets that each forward updates."""
    objective = EarlyLearning(strength=3.0, momentum=0.6)
    state = objective.start(np.zeros((5, 3)))
    table = torch.zeros(5, 3)
    for step in range(3):
        index = torch.tensor([[0, 3], [4, 0], [3, 1]][step])
        logits = drawn(seed + step, rows=2)[0].float().detach().requires_grad_()
        label = torch.tensor([step % 3, 1])
        state.rows = index
        targets = functional.one_hot(label, 3).float()
        loss = objective.loss(logits, targets, torch.ones(2), state)
        state.end_step(index, logits, targets)

        again = logits.detach().clone().requires_grad_()
        probs = torch.softmax(again, dim=1).clamp(1e-4, 1 - 1e-4)
        fixed = probs.detach()
        table[index] = 0.6 * table[index] + 0.4 * fixed / fixed.sum(dim=1, keepdim=True)
        reward = (1 - (table[index] * probs).sum(dim=1)).log().mean()
        expected = functional.cross_entropy(again, label) + 3.0 * reward
        torch.testing.assert_close(loss, expected, atol=1e-3, rtol=1e-4)
        loss.backward()
        expected.backward()
        torch.testing.assert_close(logits.grad, again.grad, atol=3e-3, rtol=1e-2)
    assert state.past is not None
    torch.testing.assert_close(state.past.means, table, atol=1e-3, rtol=0)


def test_the_loss_leaves_the_state_unchanged() -> None:
    state = EarlyLearning().start(np.zeros((2, 2)))
    state.rows = torch.tensor([1])
    assert state.past is not None
    for _ in range(2):
        EarlyLearning().loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.ones(1), state)
    torch.testing.assert_close(state.past.means, torch.zeros(2, 2))


def test_the_running_mean_by_hand() -> None:
    past = PastPredictions.none((2, 2), momentum=0.5)
    past.add(torch.tensor([1]), torch.tensor([[0.0, 0.0]]))
    past.add(torch.tensor([1]), torch.tensor([[log(3), 0.0]]))
    # 0, then .5 * (.5, .5) = (.25, .25), then .5 * (.25, .25) + .5 * (.75, .25) = (.5, .25)
    torch.testing.assert_close(past.means, torch.tensor([[0.0, 0.0], [0.5, 0.25]]))


def test_elr_is_finite_where_the_student_is_certain() -> None:
    state = EarlyLearning(momentum=0.0).start(np.zeros((1, 2)))
    state.rows = torch.tensor([0])
    logits = torch.tensor([[80.0, -80.0]], requires_grad=True)
    targets = torch.tensor([[0.0, 1.0]])
    loss = EarlyLearning(momentum=0.0).loss(logits, targets, torch.ones(1), state)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
