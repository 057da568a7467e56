"""Objectives that ask whether an answer is taught, by hand and one answer at a time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from steelyard.objectives.tokens import xent
from steelyard.objectives.whole_answers import above_entropy, logconf, logconf_confer

Z = torch.tensor([[1.0, 0.0, -1.0, 0.5]])  # ln p = -.746567, -1.746567, -2.746567, -1.246567


def test_an_answer_is_taught_while_its_mean_is_above_the_entropy() -> None:
    # Answer 0: (.2 + .6) / 2 = .4 > .3; answer 1 has no token; answer 2: .5, which is not above .5.
    losses, row = torch.tensor([0.2, 0.5, 0.6]), torch.tensor([0, 2, 0])
    entropies = torch.tensor([0.3, 0.0, 0.5])
    assert above_entropy(losses, row, entropies).tolist() == [True, False, True]


def test_losses_by_hand() -> None:
    # Label 1: -ln p = 1.746567; the student's own token is 0: c * .746567 with c = .25.
    two, labels, above = Z.repeat(2, 1), torch.tensor([1, 1]), torch.tensor([True, False])
    assert logconf(two, labels, above).tolist() == pytest.approx([1.746567, 0], abs=1e-5)
    found = logconf_confer(two, labels, above, 0.25).tolist()
    assert found == pytest.approx([1.746567, 0.186642], abs=1e-5)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_they_are_those_of_each_answer_alone(seed: int, c: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(12, 7, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    labels = torch.randint(7, (12,), generator=generator)
    row = torch.randint(3, (12,), generator=generator)
    entropies = 3 * torch.rand(3, generator=generator, dtype=torch.float64)
    above = above_entropy(xent(logits, labels), row, entropies)
    assert not above.requires_grad
    ours = logconf(logits, labels, above), logconf_confer(logits, labels, above, c)
    alone = [torch.zeros(12, dtype=torch.float64), torch.zeros(12, dtype=torch.float64)]
    for r in range(3):
        mine = row == r
        weak = cross_entropy(logits[mine], labels[mine], reduction="none")
        own = c * cross_entropy(logits[mine], logits[mine].argmax(dim=1), reduction="none")
        taught = weak.mean() > entropies[r]
        alone[0] = alone[0].index_put((mine,), weak if taught else 0 * weak)
        alone[1] = alone[1].index_put((mine,), weak if taught else own)
    for one, other in zip(ours, alone, strict=True):
        torch.testing.assert_close(one, other)
        slopes = [
            torch.autograd.grad(each.sum(), logits, retain_graph=True) for each in (one, other)
        ]
        torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_they_are_finite_where_probabilities_round(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1e4, 0.0], [-1e4, 0.0]], dtype=dtype).repeat(2, 1).requires_grad_()
    labels, above = torch.zeros(4, dtype=torch.long), torch.tensor([True, True, False, False])
    losses = logconf_confer(logits, labels, above, 0.25)
    losses.sum().backward()
    # the label's z is 1e4 above the other, below it; own tokens are certain
    assert losses.tolist() == pytest.approx([0, 1e4, 0, 0], rel=2e-3)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
