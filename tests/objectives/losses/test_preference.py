"""Losses over pairs: by hand, against TRL's formulas, and what weights and doubts must do."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from steelyard.objectives.losses import cross_entropy
from steelyard.objectives.losses.preference import (
    PairLoss,
    dpo,
    implicit_reward,
    preference_confidence,
    wspo,
)
from steelyard.reliability import Margin
from steelyard.types import one_hot
from vote_tables import votes

LOSSES: list[PairLoss] = ["sigmoid", "robust", "ipo", "hinge"]


def of_lead(lead: float | list[float], **options: object) -> torch.Tensor:
    """The loss of pairs with these differences of log-ratios."""
    leads = torch.tensor(lead, dtype=torch.float64).reshape(-1)
    nothing = torch.zeros_like(leads)
    return dpo(leads - 7, nothing - 3, nothing - 5, nothing - 1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scaled", "eps", "expected"),
    [
        # -ln s(.5) = ln(1 + e^-.5) = .474077; -ln s(-.5) = .974077; .9 * .474077 + .0974077
        (0.5, 0.0, 0.474077),
        (0.5, 0.1, 0.524077),
        # -ln s(-1) = ln(1 + e) = 1.313262; -ln s(1) = .313262; .9 * 1.313262 + .0313262
        (-1.0, 0.0, 1.313262),
        (-1.0, 0.1, 1.213262),
    ],
)
def test_conservative_dpo_by_hand(scaled: float, eps: float, expected: float) -> None:
    loss = of_lead(scaled / 0.1, beta=0.1, label_smoothing=eps)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_robust_ipo_and_hinge_by_hand() -> None:
    # (.9 * .474077 - .1 * .974077) / .8 = (.4266693 - .0974077) / .8 = .411577
    assert of_lead(5, loss="robust", label_smoothing=0.1).item() == pytest.approx(
        0.411577, abs=1e-6
    )
    # beta .25: 1 / (2 beta) = 2; (3 - 2)^2 = 1; with eps .2: .8 * 1 + .2 * (3 + 2)^2 = 5.8
    assert of_lead(3, loss="ipo", beta=0.25).item() == pytest.approx(1)
    assert of_lead(3, loss="ipo", beta=0.25, label_smoothing=0.2).item() == pytest.approx(5.8)
    # 1 - .1 * 4 = .6; with eps .5: (.6 + 1.4) / 2 = 1
    assert of_lead(4, loss="hinge").item() == pytest.approx(0.6)
    assert of_lead(4, loss="hinge", label_smoothing=0.5).item() == pytest.approx(1)


def test_a_weight_and_a_doubt_for_each_pair() -> None:
    # beta D = .5 with eps .1 and weight 2, beta D = -1 with eps 0 and weight .5:
    # (2 * .524077 + .5 * 1.313262) / 2 = .8523925; over the weights' sum 2.5 instead: .681914
    options = {
        "weights": torch.tensor([2.0, 0.5]),
        "label_smoothing": torch.tensor([0.1, 0.0]),
    }
    assert of_lead([5, -10], **options).item() == pytest.approx(0.8523925, abs=1e-6)
    by_weights = of_lead([5, -10], divide_by="weights", **options)
    assert by_weights.item() == pytest.approx(0.681914, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@given(lead=st.floats(-20, 20), eps=st.floats(0, 0.45), beta=st.floats(0.05, 2))
def test_a_pair_is_its_mirror(loss: PairLoss, lead: float, eps: float, beta: float) -> None:
    one = of_lead(lead, loss=loss, label_smoothing=eps, beta=beta)
    other = of_lead(-lead, loss=loss, label_smoothing=1 - eps, beta=beta)
    torch.testing.assert_close(one, other)


@given(st.floats(0.01, 0.49), st.floats(-8, 8))
def test_robust_has_no_bias_under_flipped_labels(eps: float, lead: float) -> None:
    # Labels flipped at rate eps: the expected robust loss is the plain loss of the true label.
    seen = [of_lead(sign * lead, loss="robust", label_smoothing=eps) for sign in (1, -1)]
    expected = (1 - eps) * seen[0] + eps * seen[1]
    torch.testing.assert_close(expected, of_lead(lead), atol=1e-6, rtol=1e-6)


@given(st.floats(0.05, 0.95))
def test_conservative_dpo_is_least_where_the_model_doubts_as_the_label_does(eps: float) -> None:
    lead = torch.tensor([math.log((1 - eps) / eps) / 0.1], dtype=torch.float64, requires_grad=True)
    none = torch.zeros(1, dtype=torch.float64)
    dpo(lead, none, none, none, label_smoothing=eps).backward()
    assert lead.grad is not None
    assert abs(lead.grad.item()) < 1e-9


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_all_losses(loss: PairLoss) -> None:
    generator = torch.Generator().manual_seed(0)
    four = torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.5, 0.0, 2.0], dtype=torch.float64)
    doubts = torch.tensor([0.0, 0.2, 0.4], dtype=torch.float64)

    def of(values: torch.Tensor) -> torch.Tensor:
        return dpo(*values, weights=weights, label_smoothing=doubts, loss=loss, beta=0.7)

    assert torch.autograd.gradcheck(of, (four,))
    of(four).backward()
    assert four.grad is not None
    assert not four.grad[:, 1].any()  # of the pair of weight 0
    assert four.grad[:, 0].any()


def test_far_differences_are_finite_and_half_precision_is_widened() -> None:
    assert of_lead([1e6, -1e6]).item() == pytest.approx(1e5 / 2)
    half = torch.tensor([-300.25], dtype=torch.bfloat16)
    none = torch.zeros(1)
    assert dpo(half, none, none, none).dtype == torch.float32


@pytest.mark.parametrize(
    ("gap", "expected"),
    # 2 (s(.5) - .5) = 2 * .1224593 = .2449; 2 (.7310586 - .5) = .4621; 2 (.8807971 - .5) = .7616
    [(0.0, 0.0), (0.5, 0.2449187), (1.0, 0.4621172), (2.0, 0.7615942)],
)
def test_confidence_of_a_reward_model_by_hand(gap: float, expected: float) -> None:
    first = torch.tensor([1.5, 1.5 + gap])
    second = torch.tensor([1.5 + gap, 1.5])
    found = preference_confidence(first, second)
    assert found.tolist() == pytest.approx([expected] * 2, abs=1e-6)


@given(st.floats(-6, 6), st.floats(-6, 6))
def test_that_confidence_is_the_margin_estimator(first: float, second: float) -> None:
    # A chooser's vote on a pair is the softmax of two scores: Bradley and Terry's model.
    scores = torch.tensor([[first, second]], dtype=torch.float64)
    probs = functional.softmax(scores, dim=1).numpy()
    answer = probs.argmax(axis=1)[:, None]
    margin = Margin().estimate(votes(answer, answers=2, probs=probs)).score[0]
    assert preference_confidence(scores[:, 0], scores[:, 1]).item() == pytest.approx(margin)


def test_a_chooser_of_two_answers_is_a_bradley_terry_model() -> None:
    # -ln softmax(w+, w-)_1 = -ln s(w+ - w-): a reward model needs no loss of its own.
    scores = torch.tensor([[0.3, -1.2], [2.0, 2.5]])
    label = one_hot(np.array([0, 1]), 2)
    chooser = cross_entropy(scores, torch.from_numpy(label), torch.ones(2))
    leads = (scores * torch.tensor([[1, -1], [-1, 1]])).sum(dim=1)
    torch.testing.assert_close(chooser.float(), -functional.logsigmoid(leads).mean())


def test_the_implicit_reward() -> None:
    # .1 * (-12 - -15) = .3
    assert implicit_reward(torch.tensor(-12.0), torch.tensor(-15.0), 0.1).item() == pytest.approx(
        0.3
    )


def test_the_weak_shift_token_by_token_by_hand() -> None:
    # Row 1, two answer tokens, beta .5: (.5 * 2 - .6)^2 = .16, (.5 * -1 - .1)^2 = .36: mean .26.
    # Row 2, one token: (.5 * 0 - .2)^2 = .04. With weights 1 and 3: (.26 + .12) / 2 = .19.
    strong = torch.tensor([[9.0, -1.0, -3.0], [9, 9, -2]])
    strong_ref = torch.tensor([[0.0, -3.0, -2.0], [0, 0, -2]])
    weak = torch.tensor([[5.0, -1.4, -1.9], [5, 5, -0.8]])
    weak_ref = torch.tensor([[0.0, -2.0, -2.0], [0, 0, -1]])
    mask = torch.tensor([[False, True, True], [False, False, True]])
    weights = torch.tensor([1.0, 3.0])
    loss = wspo(strong, strong_ref, weak, weak_ref, mask, beta=0.5, weights=weights)
    assert loss.item() == pytest.approx(0.19, abs=1e-6)


def test_the_weak_shift_is_met_when_it_is_scaled_by_one_over_beta() -> None:
    rng = np.random.default_rng(0)
    weak, weak_ref, strong_ref = (torch.from_numpy(rng.normal(size=(2, 4))) for _ in range(3))
    strong = strong_ref + (weak - weak_ref) / 0.1
    mask = torch.ones(2, 4, dtype=torch.bool)
    assert wspo(strong, strong_ref, weak, weak_ref, mask).item() == pytest.approx(0, abs=1e-12)
