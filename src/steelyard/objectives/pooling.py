"""One label of several supervisors' labels, and the weights of those that answered.

Sizes: B examples, M supervisors, K classes. `targets` are (B, M, K) with rows that sum to 1,
`supervisor_weights` lambda are (M,) or (B, M).
"""

import torch
from torch import Tensor

from steelyard.objectives.reduction import widened


def pool_mean(targets: Tensor, supervisor_weights: Tensor) -> Tensor:
    """sum_m lambda_m targets_m, (B, K): the linear pool."""
    return (per_example(supervisor_weights, targets)[..., None] * targets).sum(dim=1)


def pool_product(targets: Tensor, supervisor_weights: Tensor) -> Tensor:
    """prod_m targets_mk^lambda_m, scaled to sum to 1, (B, K): the logarithmic pool.

    A supervisor that excludes a class excludes it from the pool, unless each class is excluded by
    some supervisor: then the classes remain that the least weight of supervisors excludes.
    """
    targets = widened(targets)
    shares = per_example(supervisor_weights, targets)[..., None]
    excluded = (shares * (targets == 0)).sum(dim=1)
    least = excluded.amin(dim=-1, keepdim=True) + 1e-6
    logs = (shares * torch.where(targets > 0, targets, 1.0).log()).sum(dim=1)
    return torch.softmax(logs.masked_fill(excluded > least, -torch.inf), dim=-1)


def label_entropies(targets: Tensor) -> Tensor:
    """Entropy of each supervisor's mean label, (M,), in nats.

    Targets are those of the training set; a row sums to 0 where a supervisor abstains.
    """
    sums = widened(targets).sum(dim=0)
    mean = sums / sums.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    entropies: Tensor = torch.special.entr(mean).sum(dim=-1)
    return entropies


def present_weights(supervisor_weights: Tensor, present: Tensor) -> Tensor:
    """Weights of the supervisors that are `present` (B, M), scaled to sum to 1, (B, M).

    A row of zeros where no supervisor answered: the example is not learned.
    """
    shares = supervisor_weights * present
    total = shares.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, shares / total.clamp(min=torch.finfo(shares.dtype).tiny), 0.0)


def per_example(supervisor_weights: Tensor, targets: Tensor) -> Tensor:
    """Supervisor weights as (B, M)."""
    return supervisor_weights.expand(targets.shape[:2])
