"""Objectives that train on an answer only while the student is less certain than the supervisor.

They compare the student's mean cross-entropy over the answer's tokens with the entropy H of the
supervisor's list of answers, both in nats per token (each with its own tokenizer). They take the
supervisors' words, and not their probabilities. Sizes and arguments as in `objectives.tokens`;
R answers.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code, `loss.py`.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from steelyard.objectives.answers import AnswerTargets, row_sums
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.tokens import TokenObjective, _WithRamp, prediction_xent, xent


class _ByEntropy(TokenObjective):
    uses_entropy: ClassVar[bool] = True

    def confidences(self, logits: Tensor, targets: AnswerTargets) -> Tensor:
        """Whether each token's answer is above the entropy of its list, (T,), true or false."""
        assert targets.entropies is not None  # as `finetune_lm` sees to
        with torch.no_grad():
            losses = in_chunks(xent, logits, targets.tokens)
        return above_entropy(losses, targets.row, targets.entropies)


@torch.no_grad()
def above_entropy(losses: Tensor, row: Tensor, entropies: Tensor) -> Tensor:
    """Whether the mean cross-entropy of a token's answer exceeds H, (T,), true or false.

    Args:
        losses: (T,), `xent`.
        row: (T,), which answer a token belongs to; all tokens of an answer must be here.
        entropies: (R,), H, >= 0.
    """
    count = row_sums(torch.ones_like(losses), row, len(entropies)).clamp(min=1)
    return (row_sums(losses, row, len(entropies)) / count > entropies)[row]


def logconf(logits: Tensor, labels: Tensor, above: Tensor) -> Tensor:
    """-ln p_l of the tokens of an answer above H (`above_entropy`), 0 of all others, (T,).

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (their mean is over the
        answers of a batch that are learned; here each example counts, as in every other loss).
    """
    return torch.where(above, xent(logits, labels), 0.0)


class Logconf(_ByEntropy):
    """Cross-entropy of an answer while the student's is above the entropy of the supervisor's list.

    From then on the answer has no gradient. A supervisor whose list is even trains least.

    Source: Cui et al. 2024, arXiv:2406.03199 (`logconf` in the authors' code, which averages over
        the answers that are learned; here each example counts).
    """

    kind: Literal["logconf"] = "logconf"
    token_loss = staticmethod(logconf)


def logconf_confer(logits: Tensor, labels: Tensor, above: Tensor, coefficient: float) -> Tensor:
    """-ln p_l of the tokens of an answer above H, -c ln max p of all others, (T,), with c >= 0."""
    return torch.where(above, xent(logits, labels), coefficient * prediction_xent(logits))


class LogconfConfer(_ByEntropy, _WithRamp):
    """The same, and an answer below that entropy has c times the loss of the student's own tokens.

    Source: Cui et al. 2024, arXiv:2406.03199 (`logconf_confer` in the authors' code).
    """

    kind: Literal["logconf_confer"] = "logconf_confer"
    maximum: float = Field(0.25, ge=0)
    """c after warm-up: a weight, which may exceed 1."""
    token_loss = staticmethod(logconf_confer)
