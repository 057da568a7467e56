"""Losses. Pure functions of tensors, in nats."""

import torch
from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """(1/B) sum_i w_i * CE(targets_i, softmax(logits_i)).

    Divides by B and not by the sum of weights, so that the mean over batches estimates the loss
    over the whole training set without bias. With all weights 1 it is the ordinary cross-entropy;
    scaling every weight by c scales the loss by c.

    Args:
        logits: (B, K), any float type; the loss is computed in float32. An answer that an example
            does not have carries a very low logit and target 0.
        targets: (B, K), rows sum to 1; a one-hot row is a hard label.
        weights: (B,), not negative.

    Source: Burns et al. 2023, arXiv:2312.09390 (soft labels); Guo and Yang 2024,
        arXiv:2406.19032, reliability re-weighting (example weights; theirs averages over padding
        too).
    """
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    return -(weights * (targets * log_probs).sum(dim=-1)).mean()
