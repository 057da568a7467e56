"""Token-level objectives that take a language model's logits as evidence.

Sizes, arguments and the soft target t as in `objectives.tokens`.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code, `loss.py`.
"""

from math import inf
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import one_hot

from steelyard.objectives.dirichlet import Evidence
from steelyard.objectives.evidential import evidential_rows
from steelyard.objectives.reduction import widened
from steelyard.objectives.tokens import TokenObjective, _WithConfidences, _WithRamp


class _EvidentialTokens(TokenObjective):
    """Takes a token's logits as evidence of a Dirichlet distribution over the vocabulary."""

    evidence: Evidence = "exp"
    """How logits become evidence; `exp` suits those of a language model."""
    kl_weight: float = Field(1e-4, ge=0)
    """Weight of the divergence from no evidence; it rises from 0 over the whole training."""
    clamp: float | None = Field(20.0, gt=0)
    """The divergence times its weight is held within this, and has no gradient beyond; None:
    never."""

    def options(self, progress: float) -> dict[str, Any]:
        return {
            **super().options(progress),
            "kl_weight": self.kl_weight * progress,
            "evidence": self.evidence,
            "clamp": inf if self.clamp is None else self.clamp,
        }


class _Detachable(_EvidentialTokens):
    detached: bool = True
    """Hold the target fixed; the authors' code lets its gradient through."""

    def options(self, progress: float) -> dict[str, Any]:
        return {**super().options(progress), "detached": self.detached}


def edl_step(
    logits: Tensor,
    labels: Tensor,
    confidences: Tensor | None,
    coefficient: float = 0.0,
    *,
    kl_weight: float,
    evidence: Evidence = "exp",
    clamp: float = inf,
    detached: bool = True,
) -> Tensor:
    """EDL(alpha ; (1 - c) t + c e) of `evidential`, (T,).

    Without `confidences` the label is one-hot (the source multiplies it by s, so that its target
    does not sum to 1). `kl_weight` is annealed by the caller (the source: 1e-4 * min(1, progress)),
    and kl_weight * KL is held within +-`clamp`. `detached` holds the target fixed; the source lets
    the gradient through. Takes memory for the target over the vocabulary, (T, V), a few times.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `edl_log_loss` (there KL is clamped at
        2e5 before the factor 1e-4, that is `clamp=20`).
    """
    logits = widened(logits)
    target = (1 - coefficient) * _target(logits, labels, confidences)
    target = target + coefficient * one_hot(logits.argmax(dim=-1), logits.shape[1])
    target = target.detach() if detached else target
    return evidential_rows(logits, target, evidence=evidence, kl_weight=kl_weight, clamp=clamp)


def _target(logits: Tensor, labels: Tensor, confidences: Tensor | None) -> Tensor:
    """t over the vocabulary, (T, V)."""
    if confidences is None:
        return one_hot(labels, logits.shape[1]).to(logits.dtype)
    s = confidences.to(logits.dtype)[:, None]
    masked = logits.scatter(1, labels[:, None], -torch.inf)
    return (torch.softmax(masked, dim=1) * (1 - s)).scatter(1, labels[:, None], s)


class Edl(_WithConfidences, _Detachable):
    """The token's logits as evidence of a Dirichlet distribution, t as its label.

    See `edl_step`. The student writes what it has most evidence for.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl` in the authors' code).
    """

    kind: Literal["edl"] = "edl"
    token_loss = staticmethod(edl_step)


class EdlStep(_WithConfidences, _WithRamp, _Detachable):
    """The same with the label (1 - c) t + c e, e the student's own token.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl_step` in the authors' code).
    """

    kind: Literal["edl_step"] = "edl_step"
    token_loss = staticmethod(edl_step)
