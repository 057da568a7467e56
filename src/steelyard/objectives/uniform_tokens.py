"""Token-level objectives that spread a supervisor's uncertainty evenly over the vocabulary.

Sizes and arguments as in `objectives.tokens`. The uniform target of a token is

    t_l = s          t_k = (1 - s) / (V - 1)   for k != l

"Confer" compares who is more certain: where max p > s the student keeps its own token e, else it
learns the supervisor's. The choice has no gradient.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code, `loss.py`.
"""

from math import inf, log
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from steelyard.objectives.dirichlet import Evidence, log_density
from steelyard.objectives.evidential import evidential_rows
from steelyard.objectives.evidential_tokens import _EvidentialTokens
from steelyard.objectives.reduction import widened
from steelyard.objectives.tokens import _WithConfidences, _WithRamp, prediction_xent

_FLOOR = 1e-6  # evidence that the source adds to each token
_MAX_LOGIT = 40.0  # exp(40) is a finite float32, and so is its logarithm's multiple


def uniform_kl(logits: Tensor, labels: Tensor, confidences: Tensor) -> Tensor:
    """KL(t || p), (T,), not negative but for rounding; with s = 1 the cross-entropy.

        s ln s + (1 - s) ln((1 - s) / (V - 1)) - s ln p_l - (1 - s) * mean of ln p_k over k != l

    so that no target over the vocabulary is needed. Finite at s = 0 and 1 (0 ln 0 = 0).
    """
    log_probs = torch.log_softmax(widened(logits), dim=1)
    label, others = log_probs.gather(1, labels[:, None])[:, 0], log_probs.shape[1] - 1
    rest = log_probs.scatter(1, labels[:, None], 0).sum(dim=1) / others
    s = confidences.to(label.dtype)
    entropy: Tensor = torch.special.entr(s) + torch.special.entr(1 - s)
    return -s * label - (1 - s) * (rest + log(others)) - entropy


def _uniform(label: Tensor, rest: Tensor, like: Tensor, labels: Tensor) -> Tensor:
    """Rows of `rest`, and `label` at the label, (T, V)."""
    return rest[:, None].expand_as(like).scatter(1, labels[:, None], label[:, None])


def _keep_own(weak: Tensor, logits: Tensor, confidences: Tensor, coefficient: float) -> Tensor:
    """-c ln max p where max p > s, else the weak token's loss, (T,)."""
    prediction = prediction_xent(logits)
    more_certain = -prediction > confidences.to(prediction.dtype).log()
    return torch.where(more_certain, coefficient * prediction, weak)


def soft_confer(logits: Tensor, labels: Tensor, confidences: Tensor, coefficient: float) -> Tensor:
    """-c ln max p where max p > s, else KL(t || p), (T,), with c >= 0.

    With s = 1 the student never keeps its own token.
    """
    return _keep_own(uniform_kl(logits, labels, confidences), logits, confidences, coefficient)


class SoftConfer(_WithConfidences, _WithRamp):
    """KL(t || p) with a uniform t, until the student is more certain: see `soft_confer`.

    Where max p > s it keeps its own token, by c times the cross-entropy.

    Source: Cui et al. 2024, arXiv:2406.03199 (`soft_confer` in the authors' code).
    """

    kind: Literal["soft_confer"] = "soft_confer"
    maximum: float = Field(1.0, ge=0)
    """c after warm-up: a weight, which may exceed 1."""
    warmup: float = Field(0.75, ge=0, le=1)
    """Share of training over which c rises."""
    token_loss = staticmethod(soft_confer)


def dir_loss(
    logits: Tensor,
    labels: Tensor,
    confidences: Tensor,
    *,
    density_weight: float = 0.01,
    clamp: float = 1e8,
) -> Tensor:
    """KL(t || p) - density_weight * ln Dir(t ; alpha), alpha = exp(z) + 1e-6, (T,).

    The log-density is held within +-`clamp`, beyond which it has no gradient; its t has s within
    [1e-6, 1 - 1e-6]. It is of the size of V, or of -S, so that the loss may be negative and large.
    Takes memory for (T, V) numbers a few times.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (`dir`; there no bounds of s,
        and of z none, where ours is 40).
    """
    logits = widened(logits)
    s = confidences.to(logits.dtype).clamp(_FLOOR, 1 - _FLOOR)
    rest = torch.log1p(-s) - log(logits.shape[1] - 1)
    log_alpha = torch.logaddexp(logits.clamp(max=_MAX_LOGIT), logits.new_tensor(log(_FLOOR)))
    density = log_density(log_alpha, _uniform(s.log(), rest, logits, labels))
    return uniform_kl(logits, labels, confidences) - density_weight * density.clamp(-clamp, clamp)


class Dir(_WithConfidences):
    """KL(t || p) less the log-density of a uniform t under a Dirichlet distribution.

    The Dirichlet is that of the token's logits, alpha = exp(z) + 1e-6: see `dir_loss`.

    Source: Cui et al. 2024, arXiv:2406.03199 (`dir` in the authors' code).
    """

    kind: Literal["dir"] = "dir"
    density_weight: float = Field(0.01, ge=0)
    """Weight of the log-density, which is of the size of the vocabulary; 0 leaves KL(t || p)."""
    clamp: float = Field(1e8, gt=0)
    """The log-density is held within this, and has no gradient beyond."""
    token_loss = staticmethod(dir_loss)

    def options(self, progress: float) -> dict[str, Any]:
        return {"density_weight": self.density_weight, "clamp": self.clamp}


def edl_confer(
    logits: Tensor,
    labels: Tensor,
    confidences: Tensor,
    coefficient: float = 0.0,
    *,
    kl_weight: float,
    evidence: Evidence = "exp",
    clamp: float = inf,
) -> Tensor:
    """-c ln max p where max p > s, else EDL(alpha ; t) of `evidential`, (T,), with c >= 0.

    `kl_weight`, `evidence` and `clamp` as in `edl_step`. Takes memory for the target over the
    vocabulary, (T, V), a few times.

    Source: Cui et al. 2024, arXiv:2406.03199, the authors' `loss.py` (with c = 0 theirs is a mean
        over the tokens that learn; here the others count in the answer's mean, as in every other
        loss).
    """
    logits = widened(logits)
    s = confidences.to(logits.dtype)
    target = _uniform(s, (1 - s) / (logits.shape[1] - 1), logits, labels)
    weak = evidential_rows(logits, target, evidence=evidence, kl_weight=kl_weight, clamp=clamp)
    return _keep_own(weak, logits, confidences, coefficient)


class EdlConf(_WithConfidences, _EvidentialTokens):
    """The token's logits as evidence of a Dirichlet distribution, a uniform t as its label.

    Until the student is more certain: where max p > s it learns nothing. See `edl_confer`.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl_conf` in the authors' code).
    """

    kind: Literal["edl_conf"] = "edl_conf"
    token_loss = staticmethod(edl_confer)


class EdlConfer(_WithConfidences, _WithRamp, _EvidentialTokens):
    """The same, and where max p > s the student keeps its own token, by c times the cross-entropy.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl_confer` in the authors' code).
    """

    kind: Literal["edl_confer"] = "edl_confer"
    maximum: float = Field(1.5, ge=0)
    """c after warm-up: a weight, which may exceed 1."""
    warmup: float = Field(0.5, ge=0, le=1)
    """Share of training over which c rises."""
    token_loss = staticmethod(edl_confer)
