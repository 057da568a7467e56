"""Objectives of one label for each example: they take a selection's targets."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from steelyard.objectives.base import _Objective
from steelyard.types import Floats, SupervisorTargets

if TYPE_CHECKING:
    from steelyard.objectives.state import Objective as Running


class CrossEntropy(_Objective):
    """Cross-entropy with the label, soft or hard, weighted: see `losses.cross_entropy`."""

    kind: Literal["cross_entropy"] = "cross_entropy"

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        from steelyard.objectives.losses import cross_entropy
        from steelyard.objectives.state import Objective

        return Objective(cross_entropy)


class ConfidenceLoss(_Objective):
    """The label mixed with the student's own hardened answer, (1 - c) q + c e.

    c rises from 0 to `maximum` over the first `warmup` of training. The student's answers are
    hardened so that their shares over the last thousand or so examples match those of the weak
    labels: with unbalanced or many classes, and whatever examples a step holds.

    Source: Burns et al. 2023, arXiv:2312.09390, equation 1 and appendix A.4 (c of 0.75 for their
        largest students, 0.5 else; warm-up over a fifth of training).
    """

    kind: Literal["confidence"] = "confidence"
    maximum: float = Field(0.5, ge=0, le=1)
    """c after warm-up."""
    warmup: float = Field(0.2, ge=0, le=1)
    """Share of training over which c rises (0.2 is the source's; with very weak labels and some
    dozens of steps the student then learns its own first mistakes, and 1 is safer)."""
    threshold: Literal["prior", "argmax"] = "prior"
    """Match the weak labels' shares, or take the student's most probable answer."""
    legacy_ramp: bool = False
    """c = maximum * progress until `warmup`, then `maximum`: it jumps, as in the authors' code."""

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        import torch

        from steelyard.objectives.losses import RecentPredictions, confidence, legacy_ramp, ramp
        from steelyard.objectives.state import WithRecent

        rise = legacy_ramp if self.legacy_ramp else ramp

        def loss(logits: Any, labels: Any, weights: Any, progress: float, offsets: Any) -> Any:
            if self.threshold == "argmax":
                offsets = torch.zeros(logits.shape[1], device=logits.device)
            c = rise(self.maximum, progress, self.warmup)
            return confidence(logits, labels, c, offsets=offsets, weights=weights)

        return WithRecent(loss, RecentPredictions())


class Product(_Objective):
    """The label times the student's own probabilities, scaled: see `losses.product`.

    Source: Burns et al. 2023, arXiv:2312.09390, from the authors' code.
    """

    kind: Literal["product"] = "product"
    student_power: float = Field(1.0, ge=0)
    """b of target proportional to p^b q^a."""
    label_power: float = Field(1.0, ge=0)
    """a of target proportional to p^b q^a."""

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        from steelyard.objectives.losses import product
        from steelyard.objectives.state import Objective

        return Objective(
            lambda logits, labels, weights: product(
                logits,
                labels,
                student_power=self.student_power,
                label_power=self.label_power,
                weights=weights,
            )
        )


class Window(_Objective):
    """Learn only where the student is unsure: see `losses.window`.

    Source: EleutherAI 2024, "Experiments in weak-to-strong generalization".
    """

    kind: Literal["window"] = "window"
    radius: float | None = Field(None, gt=0, le=0.5)
    """An example teaches while the student's best answer is below 1/2 + radius; None takes the
    median of the weak labels' own lead (of one-hot labels that is everything)."""

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        import torch

        from steelyard.objectives.losses import midweak_radius, window
        from steelyard.objectives.state import Objective

        radius = self.radius or midweak_radius(torch.from_numpy(targets))
        return Objective(
            lambda logits, labels, weights: window(logits, labels, radius=radius, weights=weights)
        )


class Entropy(_Objective):
    """The label and low entropy of the student, (1 - c) CE + c H: see `losses.entropy`.

    Source: EleutherAI 2024, "Experiments in weak-to-strong generalization" (H's gradient: ours).
    """

    kind: Literal["entropy"] = "entropy"
    maximum: float = Field(0.5, ge=0, le=1)
    """c after warm-up."""
    warmup: float = Field(0.2, ge=0, le=1)
    """Share of training over which c rises."""

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        from steelyard.objectives.losses import entropy, ramp
        from steelyard.objectives.state import Scheduled

        def loss(logits: Any, labels: Any, weights: Any, progress: float) -> Any:
            c = ramp(self.maximum, progress, self.warmup)
            return entropy(logits, labels, c, weights=weights)

        return Scheduled(loss)


class ReverseKl(_Objective):
    """KL(student || label), which forgives sure and wrong labels more: see `losses.reverse_kl`.

    Source: Yao et al. 2025, arXiv:2502.11107.
    """

    kind: Literal["reverse_kl"] = "reverse_kl"
    floor: float = Field(1e-4, gt=0, lt=1)
    """Smaller targets count as this: it bounds the price of an excluded answer."""

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        from steelyard.objectives.losses import reverse_kl
        from steelyard.objectives.state import Objective

        return Objective(
            lambda logits, labels, weights: reverse_kl(
                logits, labels, floor=self.floor, weights=weights
            )
        )
