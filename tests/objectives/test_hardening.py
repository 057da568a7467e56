"""Hardened answers have the shares that the weak labels have, however examples are grouped."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from steelyard.errors import TrainingError
from steelyard.objectives.hardening import (
    RecentPredictions,
    harden,
    legacy_ramp,
    prior_offsets,
    ramp,
)
from steelyard.objectives.one_label import confidence


def test_the_ramp_rises_and_the_legacy_ramp_jumps() -> None:
    # maximum .5, warm-up .2: half way up at .1; full from .2 on.
    assert [ramp(0.5, tau, 0.2) for tau in (0, 0.1, 0.2, 0.9)] == [0, 0.25, 0.5, 0.5]
    assert ramp(0.5, 0.0, 0.0) == 0.5
    # legacy with warm-up .1: .5 * .1 = .05 at its end, .5 behind it.
    assert legacy_ramp(0.5, 0.1, 0.1) == pytest.approx(0.05)
    assert legacy_ramp(0.5, 0.1001, 0.1) == 0.5


def test_two_answers_by_hand() -> None:
    # z0 - z1 = 2, .5, -.3, -2, prior (.55, .45): rank .45 * 3 = 1.35, so two go to each; the
    # threshold lies midway between -.3 and .5.
    logits = torch.tensor([[2.0, 0.0], [0.5, 0.0], [0.0, 0.3], [-1.0, 1.0]])
    offsets = prior_offsets(logits, torch.tensor([0.55, 0.45]))
    assert offsets.tolist() == pytest.approx([-0.1, 0.0])
    assert harden(logits, offsets)[:, 0].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("prior", [[1.0, 0.0], [0.0, 1.0]])
def test_a_prior_of_one_answer_hardens_to_it(prior: list[float]) -> None:
    # The authors' p >= quantile always takes one example at least for answer 0.
    logits = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]])
    shares = harden(logits, prior_offsets(logits, torch.tensor(prior))).sum(dim=0)
    assert shares.tolist() == ([3, 0] if prior[0] else [1, 2])


@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 7), st.floats(0.1, 20))
def test_shares_match_the_prior_to_one_example(
    seed: int, rows: int, answers: int, scale: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(rows, answers, generator=generator, dtype=torch.float64)
    logits += scale * torch.randn(answers, generator=generator)  # a student that favours some
    prior = torch.softmax(2 * torch.randn(answers, generator=generator), dim=0)
    shares = harden(logits, prior_offsets(logits, prior)).mean(dim=0)
    assert (shares - prior).abs().max() <= 1 / rows + 1e-6


@given(st.integers(0, 10_000), st.integers(3, 5))
def test_the_hardened_answers_are_the_best_with_their_shares(seed: int, answers: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(24, answers, generator=generator)
    prior = torch.softmax(torch.randn(answers, generator=generator), dim=0)
    hard = harden(logits, prior_offsets(logits, prior))
    seats = np.repeat(np.arange(answers), hard.sum(dim=0).long())  # as many as each answer got
    rows, columns = linear_sum_assignment(-logits.numpy()[:, seats])
    best = logits.numpy()[rows, seats[columns]].sum()
    assert (hard * logits).sum().item() == pytest.approx(best, abs=1e-4)


@given(st.integers(0, 10_000))
def test_naming_the_answers_otherwise_names_the_hardened_otherwise(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(40, 4, generator=generator)
    prior = torch.tensor([0.31, 0.27, 0.23, 0.19])  # remainders .4 .8 .2 .6: no tie
    order = torch.randperm(4, generator=generator)
    hard = harden(logits, prior_offsets(logits, prior))
    again = harden(logits[:, order], prior_offsets(logits[:, order], prior[order]))
    torch.testing.assert_close(again, hard[:, order])


def test_answers_that_examples_do_not_have_are_never_theirs() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(200, 4, generator=generator)
    logits[::2, 3] = -1e9
    hard = harden(logits, prior_offsets(logits, torch.tensor([0.3, 0.3, 0.3, 0.1])))
    assert hard.sum(dim=0).tolist() == [60, 60, 60, 20]
    assert hard[::2, 3].sum() == 0


def test_logits_that_are_not_numbers_are_refused() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, float("nan"), 1.0]])
    with pytest.raises(TrainingError, match="those of row 1 are"):
        prior_offsets(logits, torch.ones(3) / 3)


def test_parts_of_a_step_add_up_to_the_whole() -> None:
    generator = torch.Generator().manual_seed(2)
    seen, logits = torch.randn(64, 3, generator=generator), torch.randn(12, 3, generator=generator)
    targets = torch.softmax(torch.randn(76, 3, generator=generator), dim=1)
    recent = RecentPredictions()
    recent.add(seen, targets[:64])
    logits.requires_grad_()

    def gradient(parts: list[list[int]]) -> torch.Tensor:
        offsets = recent.offsets()
        loss = torch.stack(
            [
                confidence(logits[part], targets[64:][part], 0.5, offsets=offsets) * len(part) / 12
                for part in parts
            ]
        ).sum()
        return torch.autograd.grad(loss, logits)[0]

    whole = gradient([list(range(12))])
    torch.testing.assert_close(gradient([[3], [0, 1, 2, 11], list(range(4, 11))]), whole)
    torch.testing.assert_close(gradient([[i] for i in reversed(range(12))]), whole)


def test_batches_of_one_kind_do_not_move_the_threshold() -> None:
    """Sorted by length, one step has texts of one kind only; the shares match all the same."""
    generator = torch.Generator().manual_seed(3)
    truth = torch.rand(2048, generator=generator) < 0.8  # unbalanced: 4 in 5 are class 1
    targets = torch.nn.functional.one_hot(truth.long(), 2).float()
    logits = torch.randn(2048, 2, generator=generator)
    logits[:, 1] += 3 * truth.float() - 3  # a student that says 0 too often
    order = torch.argsort(truth.long(), stable=True)  # steps of one class only
    steps = order.reshape(64, 32)[torch.randperm(64, generator=generator)]
    recent, ours, theirs = RecentPredictions(1024), [], []
    for step in steps:
        offsets = recent.offsets()
        if offsets is not None and len(recent.steps) == 32:
            ours.append(harden(logits[step], offsets)[:, 1] == targets[step, 1])
            own = prior_offsets(logits[step], targets[step].mean(dim=0))
            theirs.append((logits[step].argmax(dim=1) == 1) == targets[step, 1].bool())
            # From the step alone nearly every answer is that of its labels: nothing of the
            # student's own opinion is left.
            assert (harden(logits[step], own)[:, 1] == targets[step, 1]).float().mean() >= 30 / 32
        recent.add(logits[step], targets[step])
    agree, argmax = torch.cat(ours).float().mean(), torch.cat(theirs).float().mean()
    # Once printed: .889 and .605; with steps of mixed examples .912, and .910 from the step.
    assert agree > argmax + 0.1
    assert agree < 0.95


def test_whole_steps_are_forgotten_when_enough_are_left() -> None:
    recent = RecentPredictions(size=5)
    assert recent.offsets() is None
    for _ in range(4):
        recent.add(torch.zeros(2, 3), torch.full((2, 3), 1 / 3))
    assert len(recent.steps) == 3  # 6 examples; without the oldest step there were 4, fewer than 5
