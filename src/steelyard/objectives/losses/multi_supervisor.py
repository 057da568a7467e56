"""One student and several weak supervisors, each with its own label for each example.

Sizes: B examples, M supervisors, K answers. Supervisor weights are (M,), or (B, M) where they
differ between examples, such as a softmax over supervisors of the mean log-score of their answers;
they sum to 1 over M. With one supervisor of weight 1 each objective is that of a single weak label.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from steelyard.objectives.losses.classification import cross_entropy
from steelyard.objectives.losses.dirichlet import Evidence
from steelyard.objectives.losses.evidential import Fit, SoftMode, evidential
from steelyard.objectives.losses.precision import mean_over_examples, widened

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of logits (B, K), targets (B, K) and weights (B,), as `cross_entropy`."""


def naive_multi_weak(
    loss: Loss,
    logits: Tensor,
    targets: Tensor,
    supervisor_weights: Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """sum_m lambda_m * loss(logits, targets_m): the student hears every supervisor.

    Args:
        loss: of one label for each example, linear in the example weights.
        logits: (B, K).
        targets: (B, M, K), rows sum to 1; of a supervisor without an answer any finite numbers.
        supervisor_weights: lambda, (M,) or (B, M); 0 leaves a supervisor out.
        weights: (B,), not negative; None weighs each example 1.

    Source: Cui et al. 2024, arXiv:2406.03199, "Naive Multi-Weak".
    """
    shares = _each(supervisor_weights, targets)
    if weights is not None:
        shares = shares * weights[:, None]
    parts = [loss(logits, targets[:, m], shares[:, m]) for m in range(targets.shape[1])]
    return torch.stack(parts).sum()


def joint(
    logits: Tensor,
    targets: Tensor,
    supervisor_weights: Tensor,
    *,
    pool: Literal["product", "mean"],
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy with the supervisors' pooled label: they agree first, then teach.

    Args:
        logits: (B, K).
        targets: (B, M, K), rows sum to 1.
        supervisor_weights: (M,) or (B, M).
        pool: `pool_product`, or `pool_mean`, which makes it `naive_multi_weak` of cross-entropy.
        weights: (B,), not negative; None weighs each example 1.

    Source: Cui et al. 2024, arXiv:2406.03199, joint decoding (there over answers that the
        supervisors generate).
    """
    pooled = (pool_product if pool == "product" else pool_mean)(targets, supervisor_weights)
    return cross_entropy(logits, pooled, weights)


def pool_mean(targets: Tensor, supervisor_weights: Tensor) -> Tensor:
    """sum_m lambda_m targets_m, (B, K): the linear pool.

    Args:
        targets: (B, M, K), rows sum to 1.
        supervisor_weights: lambda, (M,) or (B, M).
    """
    return (_each(supervisor_weights, targets)[..., None] * targets).sum(dim=1)


def pool_product(targets: Tensor, supervisor_weights: Tensor) -> Tensor:
    """prod_m targets_mk^lambda_m, scaled to sum to 1, (B, K): the logarithmic pool.

    A supervisor that excludes an answer excludes it from the pool, unless all answers are excluded
    by somebody: then those are left that the least weight of supervisors excludes.

    Args:
        targets: (B, M, K), rows sum to 1.
        supervisor_weights: lambda, (M,) or (B, M).
    """
    targets = widened(targets)
    shares = _each(supervisor_weights, targets)[..., None]
    excluded = (shares * (targets == 0)).sum(dim=1)
    least = excluded.amin(dim=-1, keepdim=True) + 1e-6
    logs = (shares * torch.where(targets > 0, targets, 1.0).log()).sum(dim=1)
    return torch.softmax(logs.masked_fill(excluded > least, -torch.inf), dim=-1)


def bayesian(
    logits: Tensor,
    targets: Tensor,
    supervisor_weights: Tensor,
    *,
    evidence: Evidence,
    kl_weight: float,
    soft_mode: SoftMode = "expected",
    fit: Fit = "likelihood",
    self_weight: float = 0.5,
    offsets: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """(1 - g) sum_m lambda_m EDL(alpha ; targets_m) + g EDL(alpha ; the student's own answer).

    Args:
        logits: (B, K).
        targets: (B, M, K), rows sum to 1.
        supervisor_weights: lambda, (M,) or (B, M), sums to 1.
        evidence: see `evidential`, as for what follows.
        kl_weight: annealed by the caller.
        soft_mode: how a soft label is read.
        fit: which misfit.
        self_weight: g, in [0, 1].
        offsets: (K,), of the student's own answer.
        weights: (B,), not negative; None weighs each example 1.

    Source: Cui et al. 2024, arXiv:2406.03199, equation 5.
    """

    def loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        return evidential(
            logits,
            labels,
            evidence=evidence,
            kl_weight=kl_weight,
            soft_mode=soft_mode,
            fit=fit,
            self_weight=self_weight,
            offsets=offsets,
            weights=weights,
        )

    return naive_multi_weak(loss, logits, targets, supervisor_weights, weights)


def learnt_multi_weak(
    loss: Loss,
    logits: Tensor,
    targets: Tensor,
    raw: Tensor,
    *,
    baselines: Tensor,
    prior: Tensor,
    temperature: float,
    given: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """sum_m lambda_m loss_m - sum_m (lambda_m - prior_m) b_m + T KL(lambda || prior).

    lambda = softmax(raw + ln prior) is learnt together with the student, raw from zeros. Without
    the second and third term the best lambda is one-hot at the supervisor that is the easiest to
    imitate, say one who always gives the same answer: no loss, and nothing learnt. b_m is the loss
    of the best student that ignores the questions; b_m - loss_m is what this student explains of
    m's labels, which is 0 for a supervisor who answers always alike, or at random, or never surely.
    The best lambda is proportional to prior_m exp((b_m - loss_m) / T): explaining T nats less
    costs a factor e, and no weight falls to 0. What stays is that a supervisor who follows a
    superficial trait of the texts is explained well too; only a prior from trusted rows tells.

    Args:
        loss: of one label for each example, linear in the example weights.
        logits: (B, K).
        targets: (B, M, K), rows sum to 1.
        raw: (M,), requires a gradient.
        baselines: b, (M,), over the training set; for cross-entropy `label_entropies`.
        prior: (M,), positive, sums to 1: uniform, or proportional to estimated accuracy.
        temperature: T, > 0, in nats.
        given: (B, M), whether a supervisor answered: lambda is then shared among those that did,
            as `shares_of_givers`, so that silence is no perfect fit. None: all did.
        weights: (B,), not negative; None weighs each example 1.

    Source: Jeon et al. 2025, RAVEN, "Weak-to-Strong Generalization under Distribution Shifts",
        arXiv:2510.21332 (weights on the simplex learnt by gradient with the student's; there
        clamped, begun on easy examples and reset after each epoch; the baselines and the
        divergence, which keep them from collapsing, are ours).
    """
    logs = torch.log_softmax(raw + prior.log(), dim=0)
    shares = logs.exp()
    answered = torch.ones_like(targets[..., 0]) if given is None else given
    each = shares_of_givers(shares, answered)
    moved = ((each - shares_of_givers(prior, answered)) * baselines).sum(dim=1)
    fits = naive_multi_weak(loss, logits, targets, each, weights)
    fits = fits - mean_over_examples(moved, weights)
    return fits + temperature * (shares * (logs - prior.log())).sum()


def label_entropies(targets: Tensor) -> Tensor:
    """Entropy of each supervisor's mean label, (M,), in nats.

    Args:
        targets: (N, M, K) of the training set, rows sum to 1, or to 0 where a supervisor is silent.
    """
    sums = widened(targets).sum(dim=0)
    mean = sums / sums.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    entropies: Tensor = torch.special.entr(mean).sum(dim=-1)
    return entropies


def shares_of_givers(supervisor_weights: Tensor, given: Tensor) -> Tensor:
    """Weights of the supervisors that answered, scaled to sum to 1 for each example, (B, M).

    A row of zeros where nobody answered: the example teaches nothing.

    Args:
        supervisor_weights: (M,), or (B, M).
        given: (B, M), whether a supervisor answered.
    """
    shares = supervisor_weights * given
    total = shares.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, shares / total.clamp(min=torch.finfo(shares.dtype).tiny), 0.0)


def _each(supervisor_weights: Tensor, targets: Tensor) -> Tensor:
    """Supervisor weights as (B, M)."""
    return supervisor_weights.expand(targets.shape[:2])
