"""Weighted cross-entropy, by hand and against torch."""

from math import exp, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from steelyard.models.losses import cross_entropy


def test_soft_targets_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.5, 0.0], [0.0, 0.3], [-1.0, 1.0]])
    targets = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    # p(class 0) = .8808, .6225, .4256, .1192. First row: -(.9 ln .8808 + .1 ln .1192) = .3269;
    # the others .7741, .7644, .5269; mean .598072.
    assert cross_entropy(logits, targets, torch.ones(4)).item() == pytest.approx(0.598072, abs=1e-6)


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
