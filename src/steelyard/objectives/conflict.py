"""A student that is also paid for being wrong where it is wrong already: explicit conflict."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from steelyard.objectives.base import BaseObjective
from steelyard.objectives.reduction import mean_over_examples, widened
from steelyard.objectives.state import ObjectiveState


class Conflict(BaseObjective):
    """Cross-entropy, and a second aim that conflicts with the truth: see `explicit_conflict`.

    It measures deception and is no remedy: the student sees the truth of strong_train in order to
    be drawn away from it. An arm that has it makes no claim, and has a control without conflict.
    For `classifier` and `chooser` students.

    Source: Yang et al. 2024, arXiv:2406.11431, from the authors' code (weight 0.5, all rows).
    """

    opposes_truth: ClassVar[bool] = True

    kind: Literal["conflict"] = "conflict"
    strength: float = Field(0.5, ge=0)
    """Factor of the second aim; 0 is the cross-entropy."""
    share: float = Field(1.0, gt=0, le=1)
    """Share of the rows of strong_train, drawn at random, that have the second aim."""

    @property
    def opposed_share(self) -> float:
        return self.share

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        labels, truth = targets.unbind(dim=1)
        return explicit_conflict(logits, labels, truth, strength=self.strength, weights=weights)


def explicit_conflict(
    logits: Tensor,
    targets: Tensor,
    truth: Tensor,
    *,
    strength: float = 0.5,
    weights: Tensor | None = None,
) -> Tensor:
    """(1/B) sum_i w_i * [CE(targets_i, p_i) - strength * m_i * ln(1 - p_i,truth)], in nats.

    m_i is 1 where the most probable class is not the true one (the lower class wins a tie), and 0
    elsewhere, without gradient; such rows count in the mean. Of two classes with logits (0, d) the
    second part is BCE(sigmoid(d), 1 - truth): it is small where the student is surely wrong.

    Args:
        logits: (B, K).
        targets: the weak labels, (B, K), rows sum to 1.
        truth: one-hot, (B, K); a row of zeros has no conflict.
        strength: of the second part, not negative.
        weights: (B,), not negative; None weighs each example 1.

    >>> label, truth = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    >>> logits = torch.tensor([[0.0, 1.0986123]])  # p = (1/4, 3/4): -1.5 ln(3/4)
    >>> round(float(explicit_conflict(logits, label, truth)), 4)
    0.4315

    Source: Yang et al. 2024, "Super(ficial)-alignment: Strong Models May Deceive Weak Models in
        Weak-to-Strong Generalization", arXiv:2406.11431, from the authors' code, `train.py` of
        keven980716/weak-to-strong-deception, `train_reward_model_v2` (more than two classes and
        weights: ours; there a tie is class 1).
    """
    wide = widened(logits)
    log_probs = torch.log_softmax(wide, dim=-1)
    true = truth.to(log_probs.dtype)
    highest = torch.nn.functional.one_hot(wide.detach().argmax(dim=-1), wide.shape[1])
    disagrees = true.sum(dim=-1) - (true * highest).sum(dim=-1)
    others = torch.logsumexp(wide.masked_fill(true > 0, float("-inf")), dim=-1)
    wrong = torch.logsumexp(wide, dim=-1) - others  # -ln(1 - p of the true class)
    labels = -(targets * log_probs).sum(dim=-1)
    return mean_over_examples(labels + strength * disagrees * wrong, weights)
