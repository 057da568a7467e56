"""Several supervisors: one of them is a single weak label, and what they agree on."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from steelyard.objectives.evidential import evidential
from steelyard.objectives.multi_supervisor import (
    Joint,
    bayesian,
    label_entropies,
    learned_multi_weak,
    naive_multi_weak,
    pool_mean,
    pool_product,
    present_weights,
)
from steelyard.objectives.one_label import confidence, cross_entropy


def drawn(seed: int, supervisors: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits (5, 4), targets (5, M, 4), supervisor weights (M,) and example weights (5,)."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(5, 4, generator=generator)
    targets = torch.softmax(2 * torch.randn(5, supervisors, 4, generator=generator), dim=2)
    shares = torch.softmax(torch.randn(supervisors, generator=generator), dim=0)
    return logits, targets, shares, torch.rand(5, generator=generator)


def joint(logits: Tensor, targets: Tensor, shares: Tensor, pool: Any, weights: Tensor) -> Tensor:
    goal = Joint(pool=pool)
    return goal.loss(logits, targets, weights, goal.start(targets.numpy(), shares.numpy()))


@given(st.integers(0, 10_000))
def test_one_supervisor_is_a_single_weak_label_exactly(seed: int) -> None:
    logits, targets, shares, weights = drawn(seed, supervisors=1)
    single, one = targets[:, 0], torch.ones(1)
    plain = cross_entropy(logits, single, weights).item()
    assert shares.tolist() == [1]
    assert naive_multi_weak(cross_entropy, logits, targets, one, weights).item() == plain
    assert joint(logits, targets, one, pool="mean", weights=weights).item() == plain
    product = joint(logits, targets, one, pool="product", weights=weights).item()
    assert product == pytest.approx(plain, rel=1e-6)
    learnt = learned_multi_weak(
        cross_entropy,
        logits,
        targets,
        torch.zeros(1),
        baselines=label_entropies(targets),
        prior=one,
        temperature=0.1,
        weights=weights,
    )
    assert learnt.item() == plain
    settings = {"evidence": "exp", "kl_weight": 0.4, "self_weight": 0.5, "weights": weights}
    assert (
        bayesian(logits, targets, one, **settings).item()
        == evidential(logits, single, **settings).item()
    )


@given(st.integers(0, 10_000))
def test_naive_multi_weak_is_the_weighted_sum(seed: int) -> None:
    logits, targets, shares, weights = drawn(seed)
    each = torch.stack([cross_entropy(logits, targets[:, m], weights) for m in range(3)])
    ours = naive_multi_weak(cross_entropy, logits, targets, shares, weights)
    torch.testing.assert_close(ours, (shares * each).sum())
    torch.testing.assert_close(
        naive_multi_weak(cross_entropy, logits, targets, shares.repeat(5, 1), weights), ours
    )
    torch.testing.assert_close(joint(logits, targets, shares, pool="mean", weights=weights), ours)


def test_any_loss_that_takes_weights_can_be_summed() -> None:
    logits, targets, shares, weights = drawn(1)
    zeros = torch.zeros(4)

    def loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return confidence(logits, targets, 0.3, offsets=zeros, weights=weights)

    torch.testing.assert_close(  # the mixed target is linear in the label
        naive_multi_weak(loss, logits, targets, shares, weights),
        confidence(logits, pool_mean(targets, shares), 0.3, offsets=zeros, weights=weights),
    )


def test_pools_by_hand() -> None:
    # q = (.8, .2) and (.3, .7), weights .25, .75. Mean: (.425, .575). Product:
    # .8^.25 * .3^.75 = .3834, .2^.25 * .7^.75 = .5118: (.4283, .5717).
    targets, shares = torch.tensor([[[0.8, 0.2], [0.3, 0.7]]]), torch.tensor([0.25, 0.75])
    assert pool_mean(targets, shares)[0].tolist() == pytest.approx([0.425, 0.575])
    assert pool_product(targets, shares)[0].tolist() == pytest.approx([0.4283, 0.5717], abs=1e-4)


def test_answers_excluded_by_all_are_left_to_the_heavier_supervisors() -> None:
    hard = torch.eye(3)[[0, 1]][None]  # one says 0, the other 1, nobody 2
    even = pool_product(hard, torch.tensor([0.5, 0.5]))[0]
    assert even.tolist() == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    heavier = pool_product(hard, torch.tensor([0.4, 0.6]))[0]
    assert heavier.tolist() == pytest.approx([0, 1, 0], abs=1e-6)
    veto = torch.tensor([[[1.0, 0.0, 0.0], [0.1, 0.8, 0.1]]])
    assert pool_product(veto, torch.tensor([0.1, 0.9]))[0].tolist() == [1, 0, 0]


def test_bayesian_by_hand() -> None:
    # alpha = relu(1, 0, -1, .5) + 1 = 2, 1, 1, 1.5. Label 0: 1.011601 + .106569 = 1.118170; label
    # 2: 1.704748 + .311226 = 2.015974; the student's own is 0. With lambda = .25, .75 and g = .5:
    # .5 (.25 * 1.118170 + .75 * 2.015974) + .5 * 1.118170.
    logits = torch.tensor([[1.0, 0.0, -1.0, 0.5]])
    targets = torch.eye(4)[[0, 2]][None]
    loss = bayesian(logits, targets, torch.tensor([0.25, 0.75]), evidence="relu", kl_weight=1.0)
    expected = 0.5 * (0.25 * 1.118170 + 0.75 * 2.015974) + 0.5 * 1.118170
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_a_silent_supervisor_leaves_its_weight_to_the_others() -> None:
    given_ = torch.tensor([[True, True, True], [True, False, True], [False, False, False]])
    shares = present_weights(torch.tensor([0.2, 0.3, 0.5]), given_)
    assert shares[0].tolist() == pytest.approx([0.2, 0.3, 0.5])
    assert shares[1].tolist() == pytest.approx([0.2 / 0.7, 0, 0.5 / 0.7])
    assert shares[2].tolist() == [0, 0, 0]
    logits, targets, _, _ = drawn(2)
    losses = [
        naive_multi_weak(cross_entropy, logits[:3], changed, shares)
        for changed in (targets[:3], torch.where(given_[..., None], targets[:3], 0.25))
    ]
    torch.testing.assert_close(*losses)  # what a silent supervisor's row holds does not matter


def learnt(
    truth: Tensor, targets: Tensor, temperature: float, informed: bool = True
) -> tuple[Tensor, float]:
    """Supervisor weights and accuracy of a student that sees the truth through noise."""
    generator = torch.Generator().manual_seed(0)
    features = 2.0 * torch.eye(2)[truth] + torch.randn(len(truth), 2, generator=generator)
    matrix = torch.zeros(2, 2, requires_grad=True)
    bias = torch.zeros(2, requires_grad=True)
    raw = torch.zeros(targets.shape[1], requires_grad=True)
    settings = {
        "baselines": label_entropies(targets) if informed else torch.zeros(targets.shape[1]),
        "prior": torch.full((targets.shape[1],), 1 / targets.shape[1]),
    }
    optimizer = torch.optim.Adam([matrix, bias, raw], lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        logits = features @ matrix + bias
        learned_multi_weak(
            cross_entropy, logits, targets, raw, temperature=temperature, **settings
        ).backward()
        optimizer.step()
    accuracy = (logits.argmax(dim=1) == truth).float().mean().item()
    return torch.softmax(raw.detach(), dim=0), accuracy


def noisy(truth: Tensor, accuracy: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    flip = torch.rand(len(truth), generator=generator) > accuracy
    return torch.eye(2)[torch.where(flip, 1 - truth, truth)]


def test_learnt_weights_rank_the_supervisors_and_stay_on_the_simplex() -> None:
    truth = torch.arange(2000) % 2
    targets = torch.stack([noisy(truth, a, i) for i, a in enumerate((0.9, 0.75, 0.6))], dim=1)
    weights, accuracy = learnt(truth, targets, temperature=0.2)
    assert weights.sum().item() == pytest.approx(1)
    assert weights[0] > 1.5 * weights[1] > 2 * weights[2] > 0.1
    assert accuracy > 0.9


def test_a_supervisor_who_always_says_the_same_does_not_win() -> None:
    """It is imitated perfectly, and a student that follows it learns nothing."""
    truth = torch.arange(2000) % 2
    constant = torch.eye(2)[torch.zeros_like(truth)]
    targets = torch.stack([noisy(truth, 0.7, 1), constant], dim=1)
    weights, accuracy = learnt(truth, targets, temperature=0.1)
    assert weights[0] > 0.9
    assert accuracy > 0.9
    collapsed, accuracy = learnt(truth, targets, temperature=0.1, informed=False)
    assert collapsed[1] > 0.99
    assert accuracy == pytest.approx(0.5)


def test_label_entropies_by_hand() -> None:
    # Always 0: 0. Half and half, hard or unsure: ln 2.
    targets = torch.tensor([[[1.0, 0], [1, 0], [0.5, 0.5]], [[1, 0], [0, 1], [0.5, 0.5]]])
    assert label_entropies(targets).tolist() == pytest.approx([0, 0.693147, 0.693147], abs=1e-6)


def test_the_best_weights_are_the_softmax_of_what_is_explained() -> None:
    logits, targets, prior, weights = drawn(3)
    raw, baselines = torch.zeros(3, requires_grad=True), label_entropies(targets)
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        learned_multi_weak(
            cross_entropy,
            logits,
            targets,
            raw,
            baselines=baselines,
            prior=prior,
            temperature=0.5,
            weights=weights,
        ).backward()
        optimizer.step()
    fits = torch.stack([cross_entropy(logits, targets[:, m], weights) for m in range(3)])
    best = torch.softmax(prior.log() + (weights.mean() * baselines - fits) / 0.5, dim=0)
    torch.testing.assert_close(
        torch.softmax(raw.detach() + prior.log(), dim=0), best, atol=1e-3, rtol=1e-3
    )


def test_silence_is_not_a_perfect_fit() -> None:
    """Two supervisors alike, of which one is silent on half of the examples, weigh the same."""
    logits, targets, _, _ = drawn(4, supervisors=1)
    given_ = torch.tensor([[True, True], [True, False], [True, True], [True, False], [True, True]])
    labels = targets.expand(5, 2, 4) * given_[..., None]
    raw = torch.zeros(2, requires_grad=True)
    loss = learned_multi_weak(
        cross_entropy,
        logits,
        labels,
        raw,
        baselines=torch.full((2,), label_entropies(labels)[0].item()),
        prior=torch.tensor([0.5, 0.5]),
        temperature=0.1,
        present=given_,
    )
    torch.testing.assert_close(loss, cross_entropy(logits, targets[:, 0]))
    loss.backward()
    torch.testing.assert_close(raw.grad, torch.zeros(2))
    torch.testing.assert_close(  # silence has no part in the mean label either
        label_entropies(labels)[1], label_entropies(targets[given_[:, 1]])[0]
    )
