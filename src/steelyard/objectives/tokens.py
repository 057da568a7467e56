"""Objectives of single tokens, for a language model that learns open answers.

A supervisor says how probable it finds each word of an answer. The student's tokens of a word share
that probability (`models.words.token_strengths`): s of each token. The loss of an example is the
mean over the tokens of an answer, and the mean over its answers by their shares.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from steelyard.objectives.base import _Objective
from steelyard.types import Floats, SupervisorTargets

if TYPE_CHECKING:
    from steelyard.objectives.state import OfTokens


class _OfTokens(_Objective):
    """What all of them share."""

    tokens: ClassVar[bool] = True
    by_entropy: ClassVar[bool] = False
    """Whether it compares the student with the entropy of the supervisors' lists."""

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "OfTokens":
        from steelyard.objectives.state import OfTokens

        return OfTokens(self.losses, getattr(self, "temperature", None), self.by_entropy)

    def losses(self, logits: Any, labels: Any, known: Any, progress: float) -> Any:
        """Losses of T tokens, (T,).

        Args:
            logits: (T, V).
            labels: (T,), token numbers.
            known: (T,), s; `losses.above_entropy` where `by_entropy`.
            progress: steps done over steps planned, in [0, 1).
        """
        raise NotImplementedError


class _Shared(_OfTokens):
    temperature: float | None = Field(1.0, gt=0)
    """Of a word's probability over its tokens: the lower, the more of the doubt goes to the token
    of which the student is least sure; None shares it evenly."""


class _Rising(_OfTokens):
    maximum: float = Field(0.25, ge=0, le=1)
    """c after warm-up."""
    warmup: float = Field(0.25, ge=0, le=1)
    """Share of training over which c rises."""
    legacy_ramp: bool = False
    """c = maximum * progress until `warmup`, then `maximum`: it jumps, as in the authors' code."""

    def coefficient(self, progress: float) -> float:
        from steelyard.objectives.losses import legacy_ramp, ramp

        return (legacy_ramp if self.legacy_ramp else ramp)(self.maximum, progress, self.warmup)


class _Evidential(_OfTokens):
    evidence: Literal["relu", "softplus", "exp"] = "exp"
    """How logits become evidence; `exp` suits those of a language model."""
    kl_weight: float = Field(1e-4, ge=0)
    """Of the divergence from no evidence, which rises over the whole training."""
    clamp: float | None = Field(20.0, gt=0)
    """The divergence times its weight is held to this, and has no gradient beyond; None: never."""

    def options(self, progress: float) -> dict[str, Any]:
        return {
            "kl_weight": self.kl_weight * progress,
            "evidence": self.evidence,
            "clamp": float("inf") if self.clamp is None else self.clamp,
        }


class _EvidentialSoft(_Evidential):
    detached: bool = True
    """Hold the target fixed; the authors' code lets its gradient through."""

    def options(self, progress: float) -> dict[str, Any]:
        return {**super().options(progress), "detached": self.detached}


class Soft(_Shared):
    """KL(t || p) with t_l = s for the label's token: see `losses.tokens.soft`.

    What is left, 1 - s, stays with the other tokens in the student's own proportions. With s = 1 it
    is the cross-entropy.

    Source: Cui et al. 2024, arXiv:2406.03199 (`soft` in the authors' code; T = 1 there).
    """

    kind: Literal["soft"] = "soft"

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import soft

        return soft(logits, labels, strengths)


class SoftStep(_Shared, _Rising):
    """KL((1 - c) t + c e || p), e the student's own token: see `losses.tokens.soft_step`.

    Source: Cui et al. 2024, arXiv:2406.03199 (`soft_step` in the authors' code).
    """

    kind: Literal["soft_step"] = "soft_step"

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import soft_step

        return soft_step(logits, labels, strengths, self.coefficient(progress))


class LogconfStep(_Rising):
    """Cross-entropy with (1 - c) of the label's token and c of the student's own.

    It takes the supervisors' words, and not their probabilities.

    Source: Cui et al. 2024, arXiv:2406.03199 (`logconf_step` in the authors' code).
    """

    kind: Literal["logconf_step"] = "logconf_step"

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import logconf_step

        return logconf_step(logits, labels, self.coefficient(progress))


class Edl(_Shared, _EvidentialSoft):
    """The token's logits as evidence of a Dirichlet distribution, t as its label.

    See `losses.tokens.edl`. The student writes what it has most evidence for.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl` in the authors' code).
    """

    kind: Literal["edl"] = "edl"

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import edl

        return edl(logits, labels, strengths, **self.options(progress))


class EdlStep(_Shared, _Rising, _EvidentialSoft):
    """The same with the label (1 - c) t + c e, e the student's own token.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl_step` in the authors' code).
    """

    kind: Literal["edl_step"] = "edl_step"

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import edl_step

        return edl_step(
            logits, labels, strengths, self.coefficient(progress), **self.options(progress)
        )
