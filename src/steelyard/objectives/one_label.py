"""Objectives of one label for each example: cross-entropy, and losses against overfitting.

Each function takes

    logits   (B, K), any float type; the loss is computed in float32
    targets  (B, K), rows sum to 1; a one-hot row is a hard label
    weights  (B,), not negative; None weighs each example 1

for B examples and K classes. A class that an example does not have has a very low logit and target
0. p = softmax(logits).
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from steelyard.objectives.base import BaseObjective
from steelyard.objectives.hardening import (
    RecentPredictions,
    harden,
    legacy_ramp,
    prior_offsets,
    ramp,
)
from steelyard.objectives.reduction import mean_over_examples, widened
from steelyard.objectives.state import ObjectiveState
from steelyard.types import Floats


class CrossEntropy(BaseObjective):
    """Cross-entropy with the label, soft or hard, weighted: see `cross_entropy`."""

    kind: Literal["cross_entropy"] = "cross_entropy"

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        return cross_entropy(logits, targets, weights)


CROSS_ENTROPY = CrossEntropy()
"""What every student minimises unless its arm says otherwise, and the ceiling."""


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """(1/B) sum_i w_i * CE(targets_i, softmax(logits_i)).

    Divides by B and not by the sum of weights, so that the mean over batches estimates the loss
    over the whole training set without bias. With all weights 1 it is the ordinary cross-entropy;
    scaling every weight by c scales the loss by c.

    Source: Burns et al. 2023, arXiv:2312.09390 (soft labels); Guo and Yang 2024,
        arXiv:2406.19032, reliability re-weighting (example weights; theirs averages over padding
        too).
    """
    log_probs = torch.log_softmax(widened(logits), dim=-1)
    return mean_over_examples(-(targets * log_probs).sum(dim=-1), weights)


class ConfidenceLoss(BaseObjective):
    """The label mixed with the student's hardened prediction, (1 - c) q + c e: see `confidence`.

    c rises from 0 to `maximum` over the first `warmup` of training. The predictions are hardened so
    that the classes' shares in the last thousand or so examples match those of the weak labels.

    Source: Burns et al. 2023, arXiv:2312.09390, equation 1 and appendix A.4 (c of 0.75 for their
        largest students, 0.5 else; warm-up over a fifth of training).
    """

    kind: Literal["confidence"] = "confidence"
    maximum: float = Field(0.5, ge=0, le=1)
    """c after warm-up."""
    warmup: float = Field(0.2, ge=0, le=1)
    """Share of training over which c rises (0.2 is the source's; with very weak labels and a few
    dozen steps the student then learns its own first mistakes, and 1 is safer)."""
    threshold: Literal["prior", "argmax"] = "prior"
    """Match the weak labels' shares, or take the student's most probable class."""
    legacy_ramp: bool = False
    """c = maximum * progress until `warmup`, then `maximum`: it jumps, as in the authors' code."""

    @property
    def matches_class_shares(self) -> bool:
        return self.threshold == "prior"

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        return ObjectiveState(recent=RecentPredictions())

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        argmax = self.threshold == "argmax"
        offsets = logits.new_zeros(logits.shape[1]) if argmax else state.offsets
        rise = legacy_ramp if self.legacy_ramp else ramp
        c = rise(self.maximum, state.progress, self.warmup)
        return confidence(logits, targets, c, offsets=offsets, weights=weights)


def confidence(
    logits: Tensor,
    targets: Tensor,
    coefficient: float,
    *,
    offsets: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """(1/B) sum_i w_i * CE((1 - c) targets_i + c hard_i, softmax(logits_i)).

    hard_i is the student's prediction, made one-hot by `harden` with `offsets` (K,) and without
    gradient: the student may disagree with the label. c is `coefficient`, in [0, 1], see `ramp`;
    with c = 0 it is `cross_entropy`.

    Without `offsets` the shares of the predictions match the mean of this batch's targets. That
    needs the whole batch: parts of a step, and batches whose examples resemble each other, need
    offsets from elsewhere (`RecentPredictions`). Offsets of zeros take the argmax. `weights` do not
    act on the shares.

    Source: Burns et al. 2023, arXiv:2312.09390, equation 1 and appendix A.4 (the share of each
        answer from the weak labels, as in the authors' code, and not half of the batch; more than
        two answers and offsets from outside the batch are ours).
    """
    if offsets is None:
        offsets = prior_offsets(logits, targets.mean(dim=0))
    mixed = (1 - coefficient) * targets + coefficient * harden(logits, offsets)
    return cross_entropy(logits, mixed, weights)


class Product(BaseObjective):
    """The label times the student's probabilities, scaled to sum to 1: see `product`.

    Source: Burns et al. 2023, arXiv:2312.09390, from the authors' code.
    """

    kind: Literal["product"] = "product"
    student_power: float = Field(1.0, ge=0)
    """Power b of the student's p in the target, which is proportional to p^b q^a."""
    label_power: float = Field(1.0, ge=0)
    """Power a of the label q in that target."""

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        powers = {"student_power": self.student_power, "label_power": self.label_power}
        return product(logits, targets, **powers, weights=weights)


def product(
    logits: Tensor,
    targets: Tensor,
    *,
    student_power: float = 1.0,
    label_power: float = 1.0,
    weights: Tensor | None = None,
) -> Tensor:
    """(1/B) sum_i w_i * CE(t_i, p_i) with t_ik proportional to p_ik^b * targets_ik^a.

    No gradient flows through t. A class with target 0 keeps target 0. With `student_power` b = 0
    and `label_power` a = 1 it is `cross_entropy`.

    Source: Burns et al. 2023, arXiv:2312.09390, from the authors' code, `loss.py` of
        openai/weak-to-strong.
    """
    log_probs = torch.log_softmax(widened(logits), dim=-1).detach()
    powers = torch.tensor(label_power, dtype=log_probs.dtype, device=log_probs.device)
    log_targets = torch.special.xlogy(powers, targets.to(log_probs.dtype))  # 0 ln 0 = 0
    return cross_entropy(
        logits, torch.softmax(student_power * log_probs + log_targets, dim=-1), weights
    )


class Window(BaseObjective):
    """Learn only where the student is uncertain: see `window`.

    Source: EleutherAI 2024, "Experiments in weak-to-strong generalization".
    """

    kind: Literal["window"] = "window"
    radius: float | None = Field(None, gt=0, le=0.5)
    """An example is learned while the student's best class is below 1/2 + radius; None takes the
    median lead of the weak labels' best class (of one-hot labels that is everything)."""

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        radius = self.radius or midweak_radius(torch.from_numpy(targets))
        return ObjectiveState(constants={"radius": torch.tensor(radius, dtype=torch.float64)})

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        radius = float(state.constants["radius"])
        return window(logits, targets, radius=radius, weights=weights)


def window(
    logits: Tensor, targets: Tensor, *, radius: float = 0.15, weights: Tensor | None = None
) -> Tensor:
    """(1/B) sum_i w_i * 1[max of p_i < 1/2 + radius] * CE(targets_i, p_i).

    A student that is certain of an example learns nothing from it. B counts all examples. Of more
    than two classes, p is between the student's best two: p_1 / (p_1 + p_2). `radius` is in
    (0, 1/2]; `midweak_radius` takes it from the weak labels.

    Source: EleutherAI 2024, "Experiments in weak-to-strong generalization", from the authors' code,
        `loss.py` of EleutherAI/w2s (more than two answers: ours).
    """
    uncertain = (_lead(widened(logits).detach()) < radius).to(widened(logits).dtype)
    return cross_entropy(logits, targets, uncertain if weights is None else uncertain * weights)


def midweak_radius(targets: Tensor) -> float:
    """Median over N training examples of q_1 / (q_1 + q_2) - 1/2, of a label's best two classes.

    Of two classes that is the median of abs(q - 1/2).

    Source: as `window`.
    """
    return float(torch.quantile(_lead(widened(targets).log()), 0.5))


def _lead(logs: Tensor) -> Tensor:
    """p_1 / (p_1 + p_2) - 1/2 of the two largest of each row, in [0, 1/2]."""
    two = logs.topk(2, dim=-1).values
    return torch.sigmoid(two[..., 0] - two[..., 1]) - 0.5


class Entropy(BaseObjective):
    """The label and low entropy of the student, (1 - c) CE + c H: see `entropy_loss`.

    Source: EleutherAI 2024, "Experiments in weak-to-strong generalization" (H's gradient: ours).
    """

    kind: Literal["entropy"] = "entropy"
    maximum: float = Field(0.5, ge=0, le=1)
    """c after warm-up."""
    warmup: float = Field(0.2, ge=0, le=1)
    """Share of training over which c rises."""

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        c = ramp(self.maximum, state.progress, self.warmup)
        return entropy_loss(logits, targets, c, weights=weights)


def entropy_loss(
    logits: Tensor,
    targets: Tensor,
    coefficient: float,
    *,
    detached: bool = False,
    weights: Tensor | None = None,
) -> Tensor:
    """(1/B) sum_i w_i * [(1 - c) CE(targets_i, p_i) + c H(p_i)], with c = `coefficient` in [0, 1].

    Low entropy is a confident student: a soft form of `confidence`, without a threshold. `detached`
    holds the p that weighs ln p in H fixed, as the source does: the gradient is then
    (1 - c)(p - targets), cross-entropy with a smaller step and no more.

    Source: EleutherAI 2024, "Experiments in weak-to-strong generalization", `loss.py` of
        EleutherAI/w2s (the gradient of H: ours; `detached` is theirs).
    """
    log_probs = torch.log_softmax(widened(logits), dim=-1)
    probs = log_probs.exp()
    mixed = (1 - coefficient) * targets + coefficient * (probs.detach() if detached else probs)
    return mean_over_examples(-(mixed * log_probs).sum(dim=-1), weights)


class ReverseKl(BaseObjective):
    """KL(student || label), robust to confident wrong labels: see `reverse_kl`.

    Source: Yao et al. 2025, arXiv:2502.11107.
    """

    kind: Literal["reverse_kl"] = "reverse_kl"
    floor: float = Field(1e-4, gt=0, lt=1)
    """Smaller targets count as this: it bounds the loss of an excluded class."""

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        return reverse_kl(logits, targets, floor=self.floor, weights=weights)


def reverse_kl(
    logits: Tensor, targets: Tensor, *, floor: float = 1e-4, weights: Tensor | None = None
) -> Tensor:
    """(1/B) sum_i w_i * KL(p_i || targets_i), targets below `floor` (> 0) counting as `floor`.

    The student's probability must lie where the label's does, but need not cover all of it. The
    floor bounds the loss of a class that the label excludes, which is infinite, at -ln floor.

    Source: Yao et al. 2025, "Revisiting Weak-to-Strong Generalization in Theory and Practice:
        Reverse KL vs. Forward KL", arXiv:2502.11107 (the floor as Wang et al. 2019,
        arXiv:1908.06112, section 4: there ln 0 = -4).
    """
    log_probs = torch.log_softmax(widened(logits), dim=-1)
    gap = log_probs - targets.to(log_probs.dtype).clamp(min=floor).log()
    return mean_over_examples((log_probs.exp() * gap).sum(dim=-1), weights)
