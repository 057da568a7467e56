"""Groups of parameters for the optimizer, and how the learning rate rises and falls."""

from collections.abc import Callable
from typing import Any

import torch

from steelyard.objectives import ObjectiveState


def make_optimizer(
    parameters: list[Any], state: ObjectiveState, settings: Any
) -> torch.optim.Optimizer:
    """The optimizer of the settings (`Training`); biases and norms do not decay."""
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if learned := list(state.learned.values()):
        groups.append({"params": learned, "weight_decay": 0.0, "lr": state.learning_rate})
    made: torch.optim.Optimizer = settings.adam(groups, lr=settings.learning_rate)
    return made


def rate_factor(steps: int, warmup: float) -> Callable[[int], float]:
    """Linear rise over the first `warmup` of the steps, then linear decay to zero."""
    rise = max(1, round(warmup * steps))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return max(0.0, (steps - step) / max(1, steps - rise))

    return factor
