"""The first and last step of every loss: wider logits, and the mean over examples.

Losses are in nats and divide by the number of examples B and not by the sum of weights, so that the
mean over batches estimates the loss over the training set and parts of a batch add up to it.
"""

import torch
from torch import Tensor


def widened(values: Tensor) -> Tensor:
    """In float32; float64 stays, so that gradients can be checked in it."""
    return values if values.element_size() == 8 else values.float()


def mean_over_examples(losses: Tensor, weights: Tensor | None) -> Tensor:
    """(1/B) sum_i w_i l_i; None weighs each example 1."""
    return losses.mean() if weights is None else (weights * losses).mean()


def softmax(logits: Tensor) -> Tensor:
    """Probabilities in float64, (B, K)."""
    return torch.softmax(logits.double(), dim=-1)
