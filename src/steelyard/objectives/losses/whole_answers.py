"""Losses that teach an answer only while the student is less sure of it than the supervisor was.

Sizes and arguments as in `losses.tokens`; R answers. The supervisor's doubt is the entropy H of its
list of answers, the student's the mean cross-entropy of the answer's tokens, both in nats a token
(each of its own tokenizer). An answer is taught where the student's is above H.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code, `loss.py`.
"""

import torch
from torch import Tensor

from steelyard.objectives.losses.tokens import xent


@torch.no_grad()
def above_entropy(losses: Tensor, row: Tensor, entropies: Tensor) -> Tensor:
    """Whether the mean cross-entropy of a token's answer exceeds H, (T,), true or false.

    Args:
        losses: (T,), `xent`.
        row: (T,), which answer a token belongs to; all tokens of an answer must be here.
        entropies: (R,), H, >= 0.
    """
    zeros = torch.zeros_like(entropies, dtype=losses.dtype)
    count = zeros.index_add(0, row, torch.ones_like(losses)).clamp(min=1)
    return (zeros.index_add(0, row, losses) / count > entropies)[row]


def logconf(logits: Tensor, labels: Tensor, above: Tensor) -> Tensor:
    """-ln p_l of the tokens of an answer that is taught, 0 of all others, (T,).

    Args:
        logits: (T, V).
        labels: (T,).
        above: (T,), of `above_entropy`.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (their mean is over the
        answers of a batch that are taught; here each example counts, as in every other loss).
    """
    return torch.where(above, xent(logits, labels), 0.0)


def logconf_confer(logits: Tensor, labels: Tensor, above: Tensor, coefficient: float) -> Tensor:
    """-ln p_l of the tokens of an answer that is taught, -c ln max p of all others, (T,).

    Args:
        logits: (T, V).
        labels: (T,).
        above: (T,), of `above_entropy`.
        coefficient: c, >= 0; see `ramp`.
    """
    own = xent(logits, logits.argmax(dim=-1))
    return torch.where(above, xent(logits, labels), coefficient * own)
