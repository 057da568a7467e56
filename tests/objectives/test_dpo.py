"""Losses over pairs: by hand, against TRL's formulas; what weights and flip probabilities do."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from steelyard.objectives.dpo import PairLoss, dpo
from steelyard.objectives.one_label import cross_entropy
from steelyard.types import one_hot

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


def test_a_weight_and_a_flip_probability_for_each_pair() -> None:
    # beta D = .5 with eps .1 and weight 2, beta D = -1 with eps 0 and weight .5:
    # (2 * .524077 + .5 * 1.313262) / 2 = .8523925
    options = {
        "weights": torch.tensor([2.0, 0.5]),
        "label_smoothing": torch.tensor([0.1, 0.0]),
    }
    assert of_lead([5, -10], **options).item() == pytest.approx(0.8523925, abs=1e-6)


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


def test_a_chooser_of_two_answers_is_a_bradley_terry_model() -> None:
    # -ln softmax(w+, w-)_1 = -ln s(w+ - w-): a reward model needs no loss of its own.
    scores = torch.tensor([[0.3, -1.2], [2.0, 2.5]])
    label = one_hot(np.array([0, 1]), 2)
    chooser = cross_entropy(scores, torch.from_numpy(label), torch.ones(2))
    leads = (scores * torch.tensor([[1, -1], [-1, 1]])).sum(dim=1)
    torch.testing.assert_close(chooser.float(), -functional.logsigmoid(leads).mean())
