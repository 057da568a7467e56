"""Losses of single answer tokens whose weak label l has a probability s, for text generation.

Sizes: T answer tokens, whatever rows they come from; V words of the vocabulary. Each objective
gives (T,) losses, so that tokens of many rows, hypotheses and supervisors go in one batch, and in
as many parts as memory asks for; `mean_over_answers` weighs them. The soft target of a token is

    t_l = s          t_k = p_k (1 - s) / (1 - p_l)   for k != l

with p the student's softmax: the label's probability is the supervisor's, and the rest stays in the
student's proportions. e is one-hot at the student's argmax. Targets have no gradient.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code, `loss.py`.
"""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from steelyard.objectives.losses.dirichlet import Evidence
from steelyard.objectives.losses.evidential import evidential_rows
from steelyard.objectives.losses.precision import mean_over_examples, widened


def bernoulli_kl(
    logits: Tensor, labels: Tensor, strengths: Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """(1/B) sum_i w_i * [s ln(s / p_l) + (1 - s) ln((1 - s) / (1 - p_l))], of B tokens.

    Equal to KL(t || p) over the whole vocabulary with the soft target t, with gradient p - t in the
    logits whether t is held fixed or not. Finite at s = 0 and 1 (0 ln 0 = 0) and where p_l rounds
    to 1: with d = z_l - logsumexp of the other logits, p_l = sigmoid(d), and it is the binary
    cross-entropy of d less the entropy of s.

    Args:
        logits: (B, V), any float type; the loss is computed in float32.
        labels: (B,), token numbers.
        strengths: (B,), s, in [0, 1].
        weights: (B,), not negative; None weighs each token 1.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (the closed form is ours).
    """
    return mean_over_examples(soft(logits, labels, strengths), weights)


def xent(logits: Tensor, labels: Tensor) -> Tensor:
    """-ln p_l, (T,). Arguments as in `bernoulli_kl`."""
    return torch.nn.functional.cross_entropy(widened(logits), labels, reduction="none")


def soft(logits: Tensor, labels: Tensor, strengths: Tensor) -> Tensor:
    """KL(t || p), (T,): `bernoulli_kl` of each token."""
    own, rest = _label_and_rest(widened(logits), labels)
    sure = strengths.to(own.dtype)
    doubt: Tensor = torch.special.entr(sure) + torch.special.entr(1 - sure)
    return binary_cross_entropy_with_logits(own - rest, sure, reduction="none") - doubt


def soft_step(logits: Tensor, labels: Tensor, strengths: Tensor, coefficient: float) -> Tensor:
    """KL((1 - c) t + c e || p), (T,); with c = 0 `soft`.

    Over three outcomes, the label, the student's argmax and all others: among the others target and
    p are in proportion, so no target over the vocabulary is needed.

    Args:
        logits: (T, V).
        labels: (T,).
        strengths: (T,), in [0, 1].
        coefficient: c, in [0, 1]; see `ramp`.
    """
    logits = widened(logits)
    best = logits.argmax(dim=-1)
    same = best == labels
    masked = logits.scatter(1, labels[:, None], -torch.inf)
    own = logits.gather(1, labels[:, None])[:, 0]
    first = masked.gather(1, best[:, None])[:, 0].masked_fill(same, -1e30)
    others = torch.logsumexp(masked.scatter(1, best[:, None], -torch.inf), dim=-1)
    log_probs = torch.log_softmax(torch.stack([own, first, others], dim=1), dim=1)
    with torch.no_grad():
        sure = strengths.to(logits.dtype)
        spread = torch.softmax(torch.stack([first, others], dim=1), dim=1) * (1 - sure)[:, None]
        target = (1 - coefficient) * torch.cat([sure[:, None], spread], dim=1)
        target += coefficient * torch.stack([same, ~same, torch.zeros_like(same)], dim=1)
    doubt: Tensor = torch.special.entr(target).sum(dim=1)
    return -(target * log_probs).sum(dim=1) - doubt


def logconf_step(logits: Tensor, labels: Tensor, coefficient: float) -> Tensor:
    """-(1 - c) ln p_l - c ln max p, (T,): the weak token and the student's own, no threshold.

    Args:
        logits: (T, V).
        labels: (T,).
        coefficient: c, in [0, 1]; see `ramp`.
    """
    own = torch.nn.functional.cross_entropy(
        widened(logits), logits.argmax(dim=-1), reduction="none"
    )
    return (1 - coefficient) * xent(logits, labels) + coefficient * own


def edl(
    logits: Tensor,
    labels: Tensor,
    strengths: Tensor | None,
    *,
    kl_weight: float,
    evidence: Evidence = "exp",
    clamp: float = float("inf"),
    detached: bool = True,
) -> Tensor:
    """EDL(alpha ; t) of `evidential`, (T,).

    Takes memory for the target over the vocabulary, (T, V), a few times.

    Args:
        logits: (T, V).
        labels: (T,).
        strengths: (T,), in [0, 1]; None takes the label one-hot.
        kl_weight: >= 0, annealed by the caller; the source has 1e-4 * min(1, progress).
        evidence: e; "exp" suits logits of a language model.
        clamp: kl_weight * KL is held within +-clamp.
        detached: hold the target fixed; the source lets the gradient through.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `edl_log_loss` (there KL is clamped at
        2e5 before the factor 1e-4, that is `clamp=20`).
    """
    return edl_step(
        logits,
        labels,
        strengths,
        0.0,
        kl_weight=kl_weight,
        evidence=evidence,
        clamp=clamp,
        detached=detached,
    )


def edl_step(
    logits: Tensor,
    labels: Tensor,
    strengths: Tensor | None,
    coefficient: float,
    *,
    kl_weight: float,
    evidence: Evidence = "exp",
    clamp: float = float("inf"),
    detached: bool = True,
) -> Tensor:
    """EDL(alpha ; (1 - c) t + c e), (T,); with c = 0 `edl`, whose arguments it takes besides c.

    Args:
        logits: (T, V).
        labels: (T,).
        strengths: (T,), in [0, 1]; None takes the label one-hot (the source multiplies it by s, so
            that its target does not sum to 1).
        coefficient: c, in [0, 1]; see `ramp`.
        kl_weight: see `edl`.
        evidence: see `edl`.
        clamp: see `edl`.
        detached: see `edl`.
    """
    logits = widened(logits)
    target = (1 - coefficient) * _target(logits, labels, strengths)
    target = target + coefficient * one_hot(logits.argmax(dim=-1), logits.shape[1])
    return evidential_rows(
        logits,
        target.detach() if detached else target,
        evidence=evidence,
        kl_weight=kl_weight,
        clamp=clamp,
    )


def mean_over_answers(
    losses: Tensor, row: Tensor, weights: Tensor, examples: int | None = None
) -> Tensor:
    """(1/B) sum_r w_r * mean of row r's token losses.

    A row is one answer: of an example, or of one of its supervisors or hypotheses, with a weight
    w_r = w_i * lambda_m * share of the hypothesis. Padding is not here, so it cannot count. A row
    without answer tokens adds nothing.

    Args:
        losses: (T,).
        row: (T,), which row a token belongs to; all tokens of a row must be here.
        weights: (R,), not negative.
        examples: B, the number of examples; None takes R, a row for each.

    Source: Guo and Yang 2024, arXiv:2406.19032, reliability re-weighting (theirs averages over
        padding too).
    """
    zeros = torch.zeros_like(weights, dtype=losses.dtype)
    count = zeros.index_add(0, row, torch.ones_like(losses)).clamp(min=1)
    sums = zeros.index_add(0, row, losses)
    return (weights * sums / count).sum() / (len(weights) if examples is None else examples)


def _label_and_rest(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """z_l, and logsumexp of the other logits: ln(1 - p_l) without subtraction from 1, (T,) each."""
    masked = logits.scatter(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None])[:, 0], torch.logsumexp(masked, dim=1)


def _target(logits: Tensor, labels: Tensor, strengths: Tensor | None) -> Tensor:
    """t over the vocabulary, (T, V)."""
    if strengths is None:
        return one_hot(labels, logits.shape[1]).to(logits.dtype)
    sure = strengths.to(logits.dtype)[:, None]
    masked = logits.scatter(1, labels[:, None], -torch.inf)
    return (torch.softmax(masked, dim=1) * (1 - sure)).scatter(1, labels[:, None], sure)
