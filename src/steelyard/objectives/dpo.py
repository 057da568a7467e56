"""Direct preference optimization (DPO) and its variants: which of two answers is better."""

from typing import ClassVar, Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from steelyard.objectives.answers import AnswerTargets, answer_losses
from steelyard.objectives.base import BaseObjective
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.reduction import mean_over_examples, widened
from steelyard.objectives.state import ObjectiveState
from steelyard.objectives.tokens import xent

PairLoss: TypeAlias = Literal["sigmoid", "robust", "ipo", "hinge"]


class DirectPreference(BaseObjective):
    """The objective of preference students: see `dpo`. Targets are P(answer is the better one)."""

    lazy_logits: ClassVar[bool] = True

    kind: Literal["dpo"] = "dpo"
    beta: float = Field(0.1, gt=0)
    """How strongly the model is held to what it was before."""
    variant: PairLoss = "sigmoid"
    """Which loss of the log-ratio difference."""

    def loss(
        self, logits: Tensor, targets: AnswerTargets, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        losses = in_chunks(xent, logits, targets.tokens)
        log_probs = answer_log_probs(losses, targets, mean=self.variant == "ipo")
        assert targets.reference is not None  # as `train_dpo` sees to
        return dpo(
            *(log_probs[:, 0], log_probs[:, 1]),
            *(targets.reference[:, 0], targets.reference[:, 1]),
            beta=self.beta,
            weights=weights,
            label_smoothing=targets.shares[:, 1],
            loss=self.variant,
        )


def answer_log_probs(losses: Tensor, targets: AnswerTargets, *, mean: bool) -> Tensor:
    """ln P(answer | prompt) of the two answers of each pair, or their mean over tokens, (B, 2).

    `losses` (T,) are cross-entropies of the answers' tokens; `targets` have two rows for each pair,
    with the number of tokens as divisor.
    """
    means = -answer_losses(losses, targets)
    return means if mean else means * targets.divisor.reshape(-1, 2)


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    *,
    beta: float = 0.1,
    weights: Tensor | None = None,
    label_smoothing: float | Tensor = 0.0,
    loss: PairLoss = "sigmoid",
) -> Tensor:
    """(1/B) sum_i w_i * l_i, direct preference optimization of weighted, noisy pairs.

    With the log-ratio difference D = (chosen - ref_chosen) - (rejected - ref_rejected) and the
    probability eps that the rejected answer is the better one,

        sigmoid   l = -(1 - eps) ln s(beta D) - eps ln s(-beta D)              (conservative DPO)
        robust    l = [-(1 - eps) ln s(beta D) + eps ln s(-beta D)] / (1 - 2 eps)         (rDPO)
        ipo       l = (1 - eps) (D - 1 / (2 beta))^2 + eps (D + 1 / (2 beta))^2
        hinge     l = (1 - eps) max(0, 1 - beta D) + eps max(0, 1 + beta D)

    with s(x) = 1 / (1 + exp(-x)). All but `robust` are the loss expected under eps, least where the
    model is as uncertain as the label; `robust` is without bias under labels flipped at rate eps,
    and not bounded below. A pair (a, b, eps) has the loss of (b, a, 1 - eps).

    Args:
        chosen: (B,), ln pi(chosen | prompt), summed over the answer's tokens (for `ipo` their mean,
            as its authors have it); any float type, computed in float32 or better.
        rejected: (B,), the same of the rejected answer.
        ref_chosen: (B,), ln ref(chosen | prompt) of the model before training.
        ref_rejected: (B,).
        beta: > 0, how strongly the model is held to the reference.
        weights: (B,), not negative; None is 1; CW-PO takes them from the margin of the labels.
        label_smoothing: eps, in [0, 1], for all pairs or (B,) for each; not 1/2 for `robust`.
        loss: which l.

    Source: Rafailov et al. 2023, arXiv:2305.18290, equation 7; Mitchell 2023, "A note on DPO with
        noisy preferences" (conservative); Chowdhury et al. 2024, arXiv:2403.00409 (robust); Azar et
        al. 2023, arXiv:2310.12036, equation 17 (IPO); Zhao et al. 2023, arXiv:2305.10425 (hinge);
        CW-PO 2026, arXiv:2603.04968 (weights). (An eps for each pair, and IPO and hinge under it,
        are ours.)
    """
    lead = widened(chosen) - widened(ref_chosen) - (widened(rejected) - widened(ref_rejected))
    flip = torch.as_tensor(label_smoothing, dtype=lead.dtype, device=lead.device)
    right, wrong = _pair_losses(lead, beta, loss)
    if loss == "robust":
        each = ((1 - flip) * right - flip * wrong) / (1 - 2 * flip)
    else:
        each = (1 - flip) * right + flip * wrong
    return mean_over_examples(each, weights)


def _pair_losses(lead: Tensor, beta: float, loss: PairLoss) -> tuple[Tensor, Tensor]:
    """The loss if the label is right, and if it is wrong, (B,) each."""
    if loss == "ipo":
        half = 1 / (2 * beta)
        return (lead - half) ** 2, (lead + half) ** 2
    if loss == "hinge":
        return torch.relu(1 - beta * lead), torch.relu(1 + beta * lead)
    return -logsigmoid(beta * lead), -logsigmoid(-beta * lead)
