"""Objectives of single tokens that spread a supervisor's doubt evenly over the vocabulary.

The target of a token is flat: s of the label's token, and the rest in equal parts of all others.

Source: Cui et al. 2024, "Bayesian WeakS-to-Strong from text classification to generation",
    arXiv:2406.03199, and the authors' code.
"""

from typing import Any, Literal

from pydantic import Field

from steelyard.objectives.tokens import _Evidential, _Rising, _Shared


class SoftConfer(_Shared, _Rising):
    """KL(t || p) with a flat t, until the student is surer: see `losses.flat.soft_confer`.

    Where max p > s it keeps its own token, by c times the cross-entropy.

    Source: Cui et al. 2024, arXiv:2406.03199 (`soft_confer` in the authors' code).
    """

    kind: Literal["soft_confer"] = "soft_confer"
    maximum: float = Field(1.0, ge=0)
    """c after warm-up: a weight, and no share."""
    warmup: float = Field(0.75, ge=0, le=1)
    """Share of training over which c rises."""

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import soft_confer

        return soft_confer(logits, labels, strengths, self.coefficient(progress))


class Dir(_Shared):
    """KL(t || p) less the log-density of a flat t under a Dirichlet distribution.

    The Dirichlet is that of the token's logits, alpha = exp(z) + 1e-6: see `losses.flat.dir_loss`.

    Source: Cui et al. 2024, arXiv:2406.03199 (`dir` in the authors' code).
    """

    kind: Literal["dir"] = "dir"
    density_weight: float = Field(0.01, ge=0)
    """Of the log-density, which is of the size of the vocabulary; 0 leaves KL(t || p)."""
    clamp: float = Field(1e8, gt=0)
    """The log-density is held to this, and has no gradient beyond."""

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import dir_loss

        return dir_loss(
            logits, labels, strengths, density_weight=self.density_weight, clamp=self.clamp
        )


class EdlConf(_Shared, _Evidential):
    """The token's logits as evidence of a Dirichlet distribution, a flat t as its label.

    Until the student is surer: where max p > s it learns nothing. See `losses.flat.edl_conf`.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl_conf` in the authors' code).
    """

    kind: Literal["edl_conf"] = "edl_conf"

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import edl_conf

        return edl_conf(logits, labels, strengths, **self.options(progress))


class EdlConfer(_Shared, _Rising, _Evidential):
    """The same, and where max p > s the student keeps its own token, by c times the cross-entropy.

    Source: Cui et al. 2024, arXiv:2406.03199 (`edl_confer` in the authors' code).
    """

    kind: Literal["edl_confer"] = "edl_confer"
    maximum: float = Field(1.5, ge=0)
    """c after warm-up: a weight, and no share."""
    warmup: float = Field(0.5, ge=0, le=1)
    """Share of training over which c rises."""

    def losses(self, logits: Any, labels: Any, strengths: Any, progress: float) -> Any:
        from steelyard.objectives.losses import edl_confer

        return edl_confer(
            logits, labels, strengths, self.coefficient(progress), **self.options(progress)
        )
