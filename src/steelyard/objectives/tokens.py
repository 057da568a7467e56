"""Token-level objectives, for a language model that learns open answers.

A supervisor gives the probability of each word of an answer. The student's tokens of a word share
it (`token_confidences`): s of each token. The loss of an example is the mean over the tokens of an
answer, and the mean over its answers by their shares.

Sizes: T answer tokens of any number of rows; V tokens of the vocabulary. Each function takes

    logits       (T, V), any float type; the loss is computed in float32
    labels       (T,), token numbers l
    confidences  (T,), s in [0, 1]
    coefficient  c, see `ramp`

and gives (T,) losses, which can be computed in as many parts as memory asks for. The soft target is

    t_l = s          t_k = p_k (1 - s) / (1 - p_l)   for k != l

with p the student's softmax: the label has the supervisor's probability, and the rest stays in the
student's proportions. e is one-hot at the student's argmax. Targets have no gradient.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code, `loss.py`.
"""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.functional import cross_entropy as torch_cross_entropy

from steelyard.objectives.answers import AnswerTargets, answer_losses, mean_over_answers
from steelyard.objectives.base import BaseObjective
from steelyard.objectives.chunks import in_chunks
from steelyard.objectives.hardening import legacy_ramp, ramp
from steelyard.objectives.reduction import widened
from steelyard.objectives.state import ObjectiveState


class TokenObjective(BaseObjective):
    """A loss of single tokens, its mean over each answer's tokens, and over the answers.

    A subclass names its function (`token_loss`), or has `token_losses`.
    """

    token_level: ClassVar[bool] = True
    lazy_logits: ClassVar[bool] = True
    token_loss: ClassVar[Callable[..., Tensor]]
    """Takes logits, labels, confidences and `options`."""

    def loss(
        self, logits: Tensor, targets: AnswerTargets, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        each = in_chunks(
            partial(self.token_losses, progress=state.progress),
            *(logits, targets.tokens, self.confidences(logits, targets)),
        )
        return mean_over_answers(answer_losses(each, targets), targets.shares, weights)

    def token_losses(
        self, logits: Tensor, labels: Tensor, confidences: Tensor, progress: float
    ) -> Tensor:
        """Losses of T tokens, (T,); `progress` is steps done over steps planned, in [0, 1)."""
        return self.token_loss(logits, labels, confidences, **self.options(progress))

    def options(self, progress: float) -> dict[str, Any]:
        """Keyword arguments of `token_loss` at this point of training."""
        return {}

    def confidences(self, logits: Tensor, targets: AnswerTargets) -> Tensor:
        """The supervisors' confidence in each token, (T,); 1 where the loss ignores it."""
        return torch.ones(len(logits), device=logits.device)


class TokenCrossEntropy(TokenObjective):
    """Cross-entropy of a language model's answer tokens: what it minimises by default."""

    kind: Literal["cross_entropy"] = "cross_entropy"

    def token_losses(
        self, logits: Tensor, labels: Tensor, confidences: Tensor, progress: float
    ) -> Tensor:
        return xent(logits, labels)


def xent(logits: Tensor, labels: Tensor) -> Tensor:
    """-ln p_l, (T,), of logits (T, V) and labels (T,)."""
    return torch_cross_entropy(widened(logits), labels, reduction="none")


class _WithConfidences(TokenObjective):
    """Takes the supervisors' probabilities of words, shared among the student's tokens."""

    temperature: float | None = Field(1.0, gt=0)
    """Temperature of sharing a word's probability among its tokens: the lower, the more of the
    uncertainty goes to the token of which the student is least certain; None shares it evenly."""

    def confidences(self, logits: Tensor, targets: AnswerTargets) -> Tensor:
        assert targets.word is not None  # as `finetune_lm` sees to
        assert targets.word_log_probs is not None
        even = self.temperature is None  # then the student's confidence does not matter
        return token_confidences(
            torch.zeros(len(logits), device=logits.device) if even else _tops(logits),
            targets.word,
            targets.word_log_probs,
            self.temperature or inf,
        )


@torch.no_grad()
def _tops(logits: Tensor) -> Tensor:
    """The largest probability of each token, (T,)."""
    return in_chunks(lambda chunk: torch.softmax(widened(chunk), dim=1).amax(dim=1), logits)


def token_confidences(
    tops: Tensor, word: Tensor, log_probs: Tensor, temperature: float = 1.0
) -> Tensor:
    """The supervisor's confidence in each of the student's tokens, in (0, 1], (T,).

        share_j = softmax over the tokens j of word w of (-m_j / temperature)
        s_j     = exp(share_j * ln P(w)),   so that the product of s_j over w is P(w)

    The token of which the student is least certain takes most of the word's improbability. A word
    that is one token has s = P(w). Shares carry no gradient; all is computed in float32.

    Args:
        tops: (T,), m_j, the student's largest probability at the token's position.
        word: (T,), number of each token's word.
        log_probs: (W,), ln P(w), finite; every word has a token.
        temperature: positive; `inf` shares evenly.

    Source: Cui et al. 2024, arXiv:2406.03199 (from the authors' code; T = 1 on SLURP, 0.3 in its
        preference stage).
    """
    log_probs = log_probs.float()
    scores = -tops.detach().float() / temperature
    peak = torch.full_like(log_probs, -torch.inf).scatter_reduce(0, word, scores, "amax")
    power = torch.exp(scores - peak[word])
    total = torch.zeros_like(log_probs).index_add(0, word, power)
    return torch.exp(power / total[word] * log_probs[word])


class _WithRamp(TokenObjective):
    """Has a coefficient c that rises with training."""

    maximum: float = Field(0.25, ge=0, le=1)
    """c after warm-up."""
    warmup: float = Field(0.25, ge=0, le=1)
    """Share of training over which c rises."""
    legacy_ramp: bool = False
    """c = maximum * progress until `warmup`, then `maximum`: it jumps, as in the authors' code."""

    def coefficient(self, progress: float) -> float:
        """c at this point of training."""
        return (legacy_ramp if self.legacy_ramp else ramp)(self.maximum, progress, self.warmup)

    def options(self, progress: float) -> dict[str, Any]:
        return {**super().options(progress), "coefficient": self.coefficient(progress)}


def soft(logits: Tensor, labels: Tensor, confidences: Tensor) -> Tensor:
    """KL(t || p) = s ln(s / p_l) + (1 - s) ln((1 - s) / (1 - p_l)), (T,).

    The gradient in the logits is p - t whether t is held fixed or not. Finite at s = 0 and 1
    (0 ln 0 = 0) and where p_l rounds to 1: with d = z_l - logsumexp of the other logits,
    p_l = sigmoid(d), and it is the binary cross-entropy of d less the entropy of s.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (the closed form is ours).
    """
    logits = widened(logits)
    others = logits.scatter(1, labels[:, None], -torch.inf)
    lead = logits.gather(1, labels[:, None])[:, 0] - torch.logsumexp(others, dim=1)
    s = confidences.to(lead.dtype)
    entropy: Tensor = torch.special.entr(s) + torch.special.entr(1 - s)
    return binary_cross_entropy_with_logits(lead, s, reduction="none") - entropy


class Soft(_WithConfidences):
    """KL(t || p) with t_l = s for the label's token: see `soft`.

    The other tokens share 1 - s in the student's own proportions. With s = 1 it is the
    cross-entropy.

    Source: Cui et al. 2024, arXiv:2406.03199 (`soft` in the authors' code; T = 1 there).
    """

    kind: Literal["soft"] = "soft"
    token_loss = staticmethod(soft)


def soft_step(logits: Tensor, labels: Tensor, confidences: Tensor, coefficient: float) -> Tensor:
    """KL((1 - c) t + c e || p), (T,); with c = 0 `soft`.

    Over three outcomes, the label, the student's argmax and all others: among the others target and
    p are in proportion, so no target over the vocabulary is needed.
    """
    logits = widened(logits)
    best = logits.argmax(dim=-1)
    same = best == labels
    masked = logits.scatter(1, labels[:, None], -torch.inf)
    label = logits.gather(1, labels[:, None])[:, 0]
    first = masked.gather(1, best[:, None])[:, 0].masked_fill(same, -1e30)
    others = torch.logsumexp(masked.scatter(1, best[:, None], -torch.inf), dim=-1)
    log_probs = torch.log_softmax(torch.stack([label, first, others], dim=1), dim=1)
    with torch.no_grad():
        s = confidences.to(logits.dtype)
        spread = torch.softmax(torch.stack([first, others], dim=1), dim=1) * (1 - s)[:, None]
        target = (1 - coefficient) * torch.cat([s[:, None], spread], dim=1)
        target += coefficient * torch.stack([same, ~same, torch.zeros_like(same)], dim=1)
    entropy: Tensor = torch.special.entr(target).sum(dim=1)
    return -(target * log_probs).sum(dim=1) - entropy


class SoftStep(_WithConfidences, _WithRamp):
    """KL((1 - c) t + c e || p), e the student's own token: see `soft_step`.

    Source: Cui et al. 2024, arXiv:2406.03199 (`soft_step` in the authors' code).
    """

    kind: Literal["soft_step"] = "soft_step"
    token_loss = staticmethod(soft_step)


def prediction_xent(logits: Tensor) -> Tensor:
    """-ln max p, the cross-entropy of the student's own tokens, (T,)."""
    return xent(logits, logits.argmax(dim=-1))


def logconf_step(logits: Tensor, labels: Tensor, coefficient: float) -> Tensor:
    """-(1 - c) ln p_l - c ln max p, (T,): the weak token and the student's own, no threshold."""
    return (1 - coefficient) * xent(logits, labels) + coefficient * prediction_xent(logits)


class LogconfStep(_WithRamp):
    """Cross-entropy with (1 - c) of the label's token and c of the student's own.

    It takes the supervisors' words, and not their probabilities.

    Source: Cui et al. 2024, arXiv:2406.03199 (`logconf_step` in the authors' code).
    """

    kind: Literal["logconf_step"] = "logconf_step"

    def token_losses(
        self, logits: Tensor, labels: Tensor, confidences: Tensor, progress: float
    ) -> Tensor:
        return logconf_step(logits, labels, **self.options(progress))
