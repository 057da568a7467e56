"""The answers that a language model learns, and losses of answers from losses of tokens.

Sizes: B examples with up to K answers each, S answers (rows) in all with T tokens, V words of the
vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class AnswerTargets:
    """What the logits of T answer tokens should predict."""

    tokens: Tensor  # (T,), token numbers
    row: Tensor  # (T,), the row that a token belongs to, ascending
    divisor: Tensor  # (S,), of the sum over a row's tokens: their number for a mean
    cell: Tensor  # (S,), i * K + k of answer k of example i
    shares: Tensor  # (B, K), share of each answer in its example's loss
    word: Tensor | None = None  # (T,), number of each token's word
    word_log_probs: Tensor | None = None  # (W,), the supervisors' ln P of each word
    entropies: Tensor | None = None  # (S,), of the supervisors' lists, nats a token
    reference: Tensor | None = None  # (B, K), ln P of the answers before training


def row_sums(losses: Tensor, row: Tensor, rows: int) -> Tensor:
    """Sums of token losses over each row, (S,)."""
    zeros = torch.zeros(rows, dtype=losses.dtype, device=losses.device)
    return zeros.index_add(0, row, losses)


def answer_losses(losses: Tensor, targets: AnswerTargets) -> Tensor:
    """Loss of each answer (B, K) from losses of tokens (T,); 0 for answers without a row."""
    each = row_sums(losses, targets.row, len(targets.divisor)) / targets.divisor
    table = torch.zeros(targets.shares.numel(), device=losses.device)
    return table.index_add(0, targets.cell, each).reshape(targets.shares.shape)


def mean_over_answers(losses: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
    """(1/B) sum_i w_i sum_k shares_ik * losses_ik, from `answer_losses` (B, K).

    Divides by B and not by the sum of weights, as `cross_entropy` does.

    Source: Guo and Yang 2024, arXiv:2406.19032, reliability re-weighting (one row for each answer
        instead of each vote: ours).
    """
    return (weights * (shares * losses).sum(dim=-1)).mean()
