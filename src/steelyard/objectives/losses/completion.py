"""Likelihoods of answers that a language model writes, and their loss."""

import torch
from torch import Tensor

from steelyard.objectives.losses.chunks import in_chunks
from steelyard.objectives.losses.tokens import xent


def answer_likelihoods(
    logits: Tensor, tokens: Tensor, is_answer: Tensor, divisor: Tensor
) -> Tensor:
    """sum over answer tokens of ln P(token | tokens before it), over `divisor`, (S,).

    With the number of answer tokens as divisor it is minus the mean cross-entropy of a row's
    answer: what stands before the answer and padding behind it count neither above nor below.

    Args:
        logits: (S, T, V), of the token that follows each place; computed in float32,
            a chunk of answer tokens at a time.
        tokens: (S, T), the token that does follow.
        is_answer: (S, T), whether that token belongs to the answer.
        divisor: (S,), positive.
    """
    row, place = is_answer.nonzero(as_tuple=True)
    each = in_chunks(xent, logits[row, place], tokens[row, place])
    sums = torch.zeros(len(tokens), dtype=each.dtype, device=each.device)
    return sums.index_add(0, row, -each) / divisor


def completion_loss(likelihoods: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """(1/B) sum_i w_i sum_k targets_ik * (-likelihoods_ik), in nats.

    Each answer with a target above 0 is a row of its own, weighted by target times example
    weight. Divides by B and not by the sum of weights, as `cross_entropy` does.

    Args:
        likelihoods: (B, K), of `answer_likelihoods`; 0 where the target is 0.
        targets: (B, K), rows sum to 1.
        weights: (B,), not negative.

    Source: Guo and Yang 2024, arXiv:2406.19032, reliability re-weighting (one row for each answer
        instead of each vote: ours).
    """
    return -(weights * (targets * likelihoods).sum(dim=-1)).mean()
