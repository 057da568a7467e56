"""Evidential learning: the student predicts a Dirichlet distribution, which can be uncertain."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from steelyard.objectives.dirichlet import (
    Evidence,
    divergence_from_uniform,
    log_alpha,
    log_mean_alpha,
)
from steelyard.objectives.hardening import harden
from steelyard.objectives.reduction import mean_over_examples, widened

SoftMode: TypeAlias = Literal["target", "expected", "argmax"]


def evidential(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    evidence: Evidence,
    kl_weight: float,
    soft_mode: SoftMode = "expected",
    self_weight: float = 0.0,
    offsets: Tensor | None = None,
) -> Tensor:
    """(1/B) sum_i w_i * [(1 - g) EDL(alpha_i ; targets_i) + g EDL(alpha_i ; e_i)].

    With alpha = e(z) + 1, S = sum_k alpha_k, and a label y that sums to 1,

        EDL(alpha ; y) = A + kl_weight * KL(Dir(alpha~) || Dir(1))
        A              = sum_k y_k (ln S - ln alpha_k)
        alpha~_k       = (alpha_k - 1) (1 - y_k) + 1

    A adds evidence for the label, and KL removes evidence for other classes. e_i is the student's
    prediction, hardened with `offsets`. A is linear in y and KL is not, so a soft label q can be
    read as

        target    EDL(alpha ; q)
        expected  sum_k q_k EDL(alpha ; one-hot k), the loss of a label drawn from q
        argmax    EDL(alpha ; one-hot at argmax q), the lower index of a tie

    of which `expected` takes memory for B K^2 numbers. One-hot labels make all three the same.

    Args:
        logits: (B, K), any float type; the loss is computed in float32, and finite for logits of
            +-10,000.
        targets: (B, K), rows sum to 1.
        weights: (B,), not negative; None weighs each example 1.
        evidence: e, "exp", "relu" or "softplus". Under "relu" a class with z < 0 has no gradient.
        kl_weight: >= 0, annealed by the caller: min(1, progress).
        soft_mode: see above.
        self_weight: g, in [0, 1].
        offsets: (K,), added to the logits before the student's argmax, see `prior_offsets`; None is
            the plain argmax, with which an uncertain student drifts into the class that it favours.

    Source: Sensoy et al. 2018, arXiv:1806.01768, equations 3 and 5 (KL);
        Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
        arXiv:2406.03199, equations 4 and 5 (soft labels, self term; its offsets: ours).
    """
    logits = widened(logits)
    targets = targets.to(logits.dtype)
    if soft_mode == "argmax":
        targets = one_hot(targets.argmax(dim=-1), logits.shape[-1]).to(logits.dtype)
    if soft_mode == "expected":
        one_hots = torch.eye(logits.shape[-1], dtype=logits.dtype, device=logits.device)
        kl = (targets * _removed(logits[:, None], one_hots, evidence)).sum(dim=-1)
        losses = misfit(logits, targets, evidence) + kl_weight * kl
    else:
        losses = evidential_rows(logits, targets, evidence=evidence, kl_weight=kl_weight)
    if self_weight:
        zeros = logits.new_zeros(logits.shape[-1])
        prediction = harden(logits, zeros if offsets is None else offsets)
        self_term = evidential_rows(logits, prediction, evidence=evidence, kl_weight=kl_weight)
        losses = (1 - self_weight) * losses + self_weight * self_term
    return mean_over_examples(losses, weights)


def evidential_rows(
    logits: Tensor,
    targets: Tensor,
    *,
    evidence: Evidence,
    kl_weight: float,
    clamp: float = float("inf"),
) -> Tensor:
    """EDL(alpha ; y) of each row, (B,), with kl_weight * KL held within +-clamp.

    Logits are float32 or float64. Beyond `clamp` KL has no gradient.
    """
    kl = kl_weight * _removed(logits, targets, evidence)
    return misfit(logits, targets, evidence) + kl.clamp(-clamp, clamp)


def misfit(logits: Tensor, targets: Tensor, evidence: Evidence) -> Tensor:
    """A, minus the log of the Dirichlet mean at the label, (B,)."""
    logs = log_alpha(logits, evidence)
    return (targets * (torch.logsumexp(logs, dim=-1, keepdim=True) - logs)).sum(dim=-1)


def _removed(logits: Tensor, targets: Tensor, evidence: Evidence) -> Tensor:
    """KL(Dir(alpha~) || Dir(1)), (B,): without the evidence for the label."""
    share = 1 - targets
    return divergence_from_uniform(
        log_alpha(logits, evidence, share), log_mean_alpha(logits, evidence, share)
    )
