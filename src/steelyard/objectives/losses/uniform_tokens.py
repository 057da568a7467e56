"""Losses of single answer tokens whose soft target spreads what is left evenly.

Sizes and arguments as in `losses.tokens`. The flat target of a token is

    t_l = s          t_k = (1 - s) / (V - 1)   for k != l

"Confer" asks who is surer: where max p > s the student keeps its own token e, else it learns the
supervisor's. The choice has no gradient.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code, `loss.py`.
"""

import math

import torch
from torch import Tensor

from steelyard.objectives.losses.dirichlet import Evidence, log_density
from steelyard.objectives.losses.evidential import evidential_rows
from steelyard.objectives.losses.precision import widened
from steelyard.objectives.losses.tokens import xent

_FLOOR = 1e-6  # evidence that the source adds to each token
_MOST = 40.0  # logit: exp(40) is a finite float32, and so is its logarithm's multiple


def flat_kl(logits: Tensor, labels: Tensor, strengths: Tensor) -> Tensor:
    """KL(t || p), (T,), not negative but for rounding; with s = 1 the cross-entropy.

        s ln s + (1 - s) ln((1 - s) / (V - 1)) - s ln p_l - (1 - s) * mean of ln p_k over k != l

    so that no target over the vocabulary is needed. Finite at s = 0 and 1 (0 ln 0 = 0).

    Args:
        logits: (T, V), any float type; the loss is computed in float32.
        labels: (T,), token numbers.
        strengths: (T,), s, in [0, 1].
    """
    log_probs = torch.log_softmax(widened(logits), dim=1)
    own, others = log_probs.gather(1, labels[:, None])[:, 0], log_probs.shape[1] - 1
    rest = log_probs.scatter(1, labels[:, None], 0).sum(dim=1) / others
    sure = strengths.to(own.dtype)
    doubt: Tensor = torch.special.entr(sure) + torch.special.entr(1 - sure)
    return -sure * own - (1 - sure) * (rest + math.log(others)) - doubt


def soft_confer(logits: Tensor, labels: Tensor, strengths: Tensor, coefficient: float) -> Tensor:
    """-c ln max p where max p > s, else KL(t || p), (T,).

    Args:
        logits: (T, V).
        labels: (T,).
        strengths: (T,), in [0, 1]; with s = 1 the student never keeps its own token.
        coefficient: c, >= 0; see `ramp`.
    """
    own = _own(logits)
    return torch.where(
        _surer(own, strengths), coefficient * own, flat_kl(logits, labels, strengths)
    )


def edl_conf(
    logits: Tensor,
    labels: Tensor,
    strengths: Tensor,
    *,
    kl_weight: float,
    evidence: Evidence = "exp",
    clamp: float = float("inf"),
) -> Tensor:
    """0 where max p > s, else EDL(alpha ; t) of `evidential`, (T,).

    Takes memory for the target over the vocabulary, (T, V), a few times.

    Args:
        logits: (T, V).
        labels: (T,).
        strengths: (T,), in [0, 1].
        kl_weight: see `tokens.edl`.
        evidence: see `tokens.edl`.
        clamp: see `tokens.edl`.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (theirs is a mean over the
        tokens that learn; here the others count in the answer's mean, as in every other loss).
    """
    return edl_confer(
        logits, labels, strengths, 0.0, kl_weight=kl_weight, evidence=evidence, clamp=clamp
    )


def edl_confer(
    logits: Tensor,
    labels: Tensor,
    strengths: Tensor,
    coefficient: float,
    *,
    kl_weight: float,
    evidence: Evidence = "exp",
    clamp: float = float("inf"),
) -> Tensor:
    """-c ln max p where max p > s, else EDL(alpha ; t), (T,); with c = 0 `edl_conf`.

    Args:
        logits: (T, V).
        labels: (T,).
        strengths: (T,), in [0, 1].
        coefficient: c, >= 0; see `ramp`.
        kl_weight: see `tokens.edl`.
        evidence: see `tokens.edl`.
        clamp: see `tokens.edl`.
    """
    logits = widened(logits)
    sure, own = strengths.to(logits.dtype), _own(logits)
    target = _flat(sure, (1 - sure) / (logits.shape[1] - 1), logits, labels)
    learnt = evidential_rows(logits, target, evidence=evidence, kl_weight=kl_weight, clamp=clamp)
    return torch.where(_surer(own, strengths), coefficient * own, learnt)


def dir_loss(
    logits: Tensor,
    labels: Tensor,
    strengths: Tensor,
    *,
    density_weight: float = 0.01,
    clamp: float = 1e8,
) -> Tensor:
    """KL(t || p) - density_weight * ln Dir(t ; alpha), alpha = exp(z) + 1e-6, (T,).

    The log-density is held within +-clamp. Of V words it is of the size of V, or of -S, so that the
    loss may be negative and large. Takes memory for (T, V) numbers a few times.

    Args:
        logits: (T, V).
        labels: (T,).
        strengths: (T,), in [0, 1]; the density's t has s within [1e-6, 1 - 1e-6].
        density_weight: >= 0; 0 leaves KL(t || p).
        clamp: > 0; beyond it the density has no gradient.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (`dir`; there no bounds of s,
        and of z none, where ours is 40).
    """
    logits = widened(logits)
    sure = strengths.to(logits.dtype).clamp(_FLOOR, 1 - _FLOOR)
    rest = torch.log1p(-sure) - math.log(logits.shape[1] - 1)
    floor = logits.new_tensor(math.log(_FLOOR))
    log_alpha = torch.logaddexp(logits.clamp(max=_MOST), floor)
    density = log_density(log_alpha, _flat(sure.log(), rest, logits, labels))
    return flat_kl(logits, labels, strengths) - density_weight * density.clamp(-clamp, clamp)


def _own(logits: Tensor) -> Tensor:
    """-ln max p, (T,)."""
    return xent(logits, logits.argmax(dim=-1))


def _surer(own: Tensor, strengths: Tensor) -> Tensor:
    """Whether max p > s, (T,)."""
    return -own > strengths.to(own.dtype).log()


def _flat(label: Tensor, rest: Tensor, like: Tensor, labels: Tensor) -> Tensor:
    """Rows of `rest`, and `label` at the label, (T, V)."""
    return rest[:, None].expand_as(like).scatter(1, labels[:, None], label[:, None])
