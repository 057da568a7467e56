"""Generalised cross-entropy: between the cross-entropy and the mean absolute error."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from steelyard.objectives.base import BaseObjective
from steelyard.objectives.reduction import mean_over_examples, widened
from steelyard.objectives.state import ObjectiveState


class GeneralizedCrossEntropy(BaseObjective):
    """(1 - p^q) / q of the label's probability p: see `generalized_cross_entropy`.

    An example that the student finds unlikely counts p^q times as much as in the cross-entropy, so
    that wrong labels are not learnt by heart; right labels of hard examples are learnt slower, too.
    It can be used as `objective: gce`, or `objective: {kind: gce, q: 0.4}`.

    Source: Zhang and Sabuncu 2018, arXiv:1805.07836 (without the truncated loss).
    """

    kind: Literal["gce"] = "gce"
    q: float = Field(0.7, gt=0, le=1)
    """Near 0 it is the cross-entropy, at 1 half the mean absolute error; 0.7 is the source's."""

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        return generalized_cross_entropy(logits, targets, q=self.q, weights=weights)


def generalized_cross_entropy(
    logits: Tensor, targets: Tensor, *, q: float = 0.7, weights: Tensor | None = None
) -> Tensor:
    """(1/B) sum_i w_i * sum_k targets_ik * (1 - p_ik^q) / q, for q in (0, 1].

    Of a hard label y the gradient is p_y^q times that of the cross-entropy. As q goes to 0 it is
    the cross-entropy; with q = 1 it is 1 - p_y, which is bounded. A soft label is the mean over the
    labels that it stands for.

    >>> round(float(generalized_cross_entropy(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))), 4)
    0.5492

    Source: Zhang and Sabuncu 2018, "Generalized Cross Entropy Loss for Training Deep Neural
        Networks with Noisy Labels", arXiv:1805.07836, equation 6 (soft labels: ours).
    """
    log_probs = torch.log_softmax(widened(logits), dim=-1)
    losses = -torch.expm1(q * log_probs) / q
    return mean_over_examples((targets * losses).sum(dim=-1), weights)
