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


def answer_likelihoods(
    logits: Tensor, tokens: Tensor, is_answer: Tensor, divisor: Tensor
) -> Tensor:
    """sum over answer tokens of ln P(token | tokens before it), over `divisor`, (S,).

    With the number of answer tokens as divisor it is minus the mean cross-entropy of a row's
    answer: what stands before the answer and padding behind it count neither above nor below.

    Args:
        logits: (S, T, V), of the token that follows each place; computed in float32.
        tokens: (S, T), the token that does follow.
        is_answer: (S, T), whether that token belongs to the answer.
        divisor: (S,), positive.
    """
    row, place = is_answer.nonzero(as_tuple=True)
    each = torch.nn.functional.cross_entropy(
        logits[row, place].float(), tokens[row, place], reduction="none"
    )
    sums = torch.zeros(len(tokens), device=logits.device).index_add(0, row, -each)
    return sums / divisor


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
