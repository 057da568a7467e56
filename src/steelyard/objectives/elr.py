"""Early-learning regularisation: hold on to what the student predicted before it overfits."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from steelyard.objectives.base import BaseObjective
from steelyard.objectives.reduction import mean_over_examples, widened
from steelyard.objectives.state import ObjectiveState, PastPredictions
from steelyard.types import Floats

LEAST = 1e-4
"""Smallest probability, and 1 minus the largest: ln(1 - <p, t>) stays finite."""


class EarlyLearning(BaseObjective):
    """Cross-entropy, and a reward for agreeing with the example's own past predictions.

    See `early_learning`. An example's past predictions t are a running mean over the epochs; in the
    first epoch there are none but the current one. It can do nothing for a student that sees each
    example once. It can be used as `objective: elr`, or `objective: {kind: elr, strength: 1}`.

    Source: Liu et al. 2020, arXiv:2007.00151 (strength 3 and momentum 0.7 are those of CIFAR-10 in
        the authors' code).
    """

    kind: Literal["elr"] = "elr"
    strength: float = Field(3.0, ge=0)
    """Factor of the regularisation; 0 is the cross-entropy."""
    momentum: float = Field(0.7, ge=0, lt=1)
    """Share of the past in the running mean of an example's predictions."""

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        return ObjectiveState(past=PastPredictions.none(targets.shape, self.momentum))

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        assert state.past is not None
        assert state.rows is not None
        means = state.past.after(state.rows, logits)
        return early_learning(logits, targets, means, strength=self.strength, weights=weights)


def early_learning(
    logits: Tensor,
    targets: Tensor,
    means: Tensor,
    *,
    strength: float = 3.0,
    weights: Tensor | None = None,
) -> Tensor:
    """(1/B) sum_i w_i * [CE(targets_i, p_i) + strength * ln(1 - sum_k p_ik t_ik)].

    t are the `means` (B, K) of the predictions of these examples so far, without gradient. Where p
    agrees with t the logarithm is very negative, and its gradient outweighs that of a label that
    contradicts t.

    >>> even = torch.tensor([[0.5, 0.5]])  # ln 2 + 3 ln(1 - 1/2) = -2 ln 2
    >>> round(float(early_learning(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), even)), 4)
    -1.3863

    Source: Liu et al. 2020, "Early-Learning Regularization Prevents Memorization of Noisy Labels",
        arXiv:2007.00151, equation 6; from the authors' code, `ELR/model/loss.py` of shengliu66/ELR
        (p within 0.0001 of 0 or 1 is held there).
    """
    log_probs = torch.log_softmax(widened(logits), dim=-1)
    probs = log_probs.exp().clamp(LEAST, 1 - LEAST)
    agreement = (probs * means.to(probs)).sum(dim=-1)
    losses = -(targets * log_probs).sum(dim=-1) + strength * torch.log1p(-agreement)
    return mean_over_examples(losses, weights)
