"""Answers in padded rows, as tests write them by hand, and their losses."""

import torch
from torch import Tensor

from steelyard.objectives.answers import AnswerTargets, answer_losses
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.tokens import xent


def answer_targets(tokens: Tensor, is_answer: Tensor, divisor: Tensor) -> AnswerTargets:
    """The answer tokens of S rows (S, T), each row the only answer of an example."""
    size = len(tokens)
    return AnswerTargets(
        tokens=tokens[is_answer],
        row=is_answer.nonzero()[:, 0],
        divisor=divisor,
        cell=torch.arange(size),
        shares=torch.ones(size, 1),
    )


def cross_entropies(logits: Tensor, tokens: Tensor, is_answer: Tensor, divisor: Tensor) -> Tensor:
    """Sum of each row's answer tokens over the divisor, (S,), of logits (S, T, V)."""
    targets = answer_targets(tokens, is_answer, divisor)
    return answer_losses(in_chunks(xent, logits[is_answer], targets.tokens), targets)[:, 0]
