"""What a student minimises: settings of a study, and the objective that they make.

An arm is reliability, selection and objective. Those of one label for each example take the
selection's targets; those of several supervisors take its labels apart (`selection: apart`); those
of single tokens (`token_objectives`) take its words.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.student.objective_base import _Objective
from steelyard.student.token_objectives import Edl, EdlStep, LogconfStep, Soft, SoftStep
from steelyard.types import Apart, Floats

if TYPE_CHECKING:
    from steelyard.models.objective import Objective as Running


class _Shares:
    """Supervisors' weights, of those that answered an example."""

    def __init__(self, apart: Apart | None) -> None:
        import torch

        if apart is None:
            raise ConfigError(
                "An objective of several supervisors needs their labels apart; give the arm "
                "`selection: apart`."
            )
        self.weights = torch.from_numpy(apart.weights).float()
        self.labels = torch.from_numpy(apart.targets).float()

    def __call__(self, labels: Any) -> Any:
        """Weights (B, M) of labels (B, M, K); a silent supervisor's row is all zero."""
        from steelyard.models.losses import shares_of_givers

        return shares_of_givers(self.weights.to(labels.device), labels.any(dim=-1))


class CrossEntropy(_Objective):
    """Cross-entropy with the label, soft or hard, weighted: see `losses.cross_entropy`."""

    kind: Literal["cross_entropy"] = "cross_entropy"

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        from steelyard.models.losses import cross_entropy
        from steelyard.models.objective import Objective

        return Objective(cross_entropy)


class Confidence(_Objective):
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

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        import torch

        from steelyard.models.losses import RecentPredictions, confidence, legacy_ramp, ramp
        from steelyard.models.objective import WithRecent

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

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        from steelyard.models.losses import product
        from steelyard.models.objective import Objective

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

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        import torch

        from steelyard.models.losses import midweak_radius, window
        from steelyard.models.objective import Objective

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

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        from steelyard.models.losses import entropy, ramp
        from steelyard.models.objective import Scheduled

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

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        from steelyard.models.losses import reverse_kl
        from steelyard.models.objective import Objective

        return Objective(
            lambda logits, labels, weights: reverse_kl(
                logits, labels, floor=self.floor, weights=weights
            )
        )


class NaiveMultiWeak(_Objective):
    """sum over supervisors of lambda_m * CE(q_m): the student hears each of them.

    A silent supervisor's share goes to the others.

    Source: Cui et al. 2024, arXiv:2406.03199, "Naive Multi-Weak"; learnt weights Jeon et al. 2025,
        arXiv:2510.21332 (RAVEN).
    """

    several: ClassVar[bool] = True

    kind: Literal["naive_multi_weak"] = "naive_multi_weak"
    learn_weights: bool = False
    """Learn lambda together with the student, from the selection's weights."""
    temperature: float = Field(0.1, gt=0)
    """Of learnt weights, in nats: so much worse a fit costs a supervisor a factor e."""

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        from steelyard.models.losses import (
            cross_entropy,
            label_entropies,
            learnt_multi_weak,
            naive_multi_weak,
        )
        from steelyard.models.objective import Learnt, Objective

        shares = _Shares(apart)
        if not self.learn_weights:
            return Objective(
                lambda logits, labels, weights: naive_multi_weak(
                    cross_entropy, logits, labels, shares(labels), weights
                )
            )

        baselines = label_entropies(shares.labels)

        def loss(logits: Any, labels: Any, weights: Any, raw: Any) -> Any:
            place = logits.device
            return learnt_multi_weak(
                cross_entropy,
                logits,
                labels,
                raw.to(place),
                baselines=baselines.to(place),
                prior=shares.weights.to(place),
                temperature=self.temperature,
                given=labels.any(dim=-1),
                weights=weights,
            )

        return Learnt(loss, len(shares.weights))


class Joint(_Objective):
    """Cross-entropy with the supervisors' pooled label: they agree first, then teach.

    Source: Cui et al. 2024, arXiv:2406.03199, joint decoding.
    """

    several: ClassVar[bool] = True

    kind: Literal["joint"] = "joint"
    pool: Literal["product", "mean"] = "product"
    """The weighted geometric mean of the supervisors' distributions, or their mean."""

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        from steelyard.models.losses import joint
        from steelyard.models.objective import Objective

        shares = _Shares(apart)
        return Objective(
            lambda logits, labels, weights: joint(
                logits, labels, shares(labels), pool=self.pool, weights=weights
            )
        )


class Bayesian(_Objective):
    """The student answers with a Dirichlet distribution; the supervisors' labels are evidence.

    (1 - g) sum_m lambda_m EDL(alpha ; q_m) + g EDL(alpha ; the student's own answer): see
    `losses.bayesian`. The divergence's weight rises from 0 to `kl_weight` over training. The
    student's probabilities are the Dirichlet's mean, and it says how much evidence it has.

    Source: Cui et al. 2024, arXiv:2406.03199, equations 4 and 5; Sensoy et al. 2018,
        arXiv:1806.01768.
    """

    several: ClassVar[bool] = True
    version: ClassVar[int] = 2  # own answers in the labels' shares, the student's doubt is kept

    kind: Literal["bayesian"] = "bayesian"
    evidence: Literal["relu", "softplus", "exp"] = "exp"
    """How logits become evidence. Under `exp` a student learns about as fast as with the
    cross-entropy, under `softplus` slowly; under `relu` an answer with a negative logit does not
    learn."""
    soft_mode: Literal["target", "expected", "argmax"] = "expected"
    """How a supervisor's distribution is read: as it is, as labels drawn from it, or hardened."""
    kl_weight: float = Field(0.1, ge=0)
    """Of the divergence from no evidence, at the end of its rise (Sensoy et al.: 1)."""
    annealing: float = Field(1.0, ge=0, le=1)
    """Share of training over which it rises."""
    self_weight: float = Field(0.2, ge=0, le=1)
    """g, of the student's own answer (the source: 1/2). Where supervisors are unsure, a g that is
    large before the student has learnt something leaves it at one class."""
    warmup: float = Field(1.0, ge=0, le=1)
    """Share of training over which g rises (the source: none)."""
    threshold: Literal["prior", "argmax"] = "prior"
    """The student's own answers in the shares that the supervisors' labels have, or its most
    probable ones (the source), with which it may end at one class."""

    def begin(self, targets: Floats, apart: Apart | None) -> "Running":
        from steelyard.models.losses import RecentPredictions, bayesian, pool_mean, ramp
        from steelyard.models.objective import Evidential

        shares = _Shares(apart)

        def loss(logits: Any, labels: Any, weights: Any, progress: float, offsets: Any) -> Any:
            return bayesian(
                logits,
                labels,
                shares(labels),
                evidence=self.evidence,
                kl_weight=ramp(self.kl_weight, progress, self.annealing),
                soft_mode=self.soft_mode,
                self_weight=ramp(self.self_weight, progress, self.warmup),
                offsets=offsets if self.threshold == "prior" else None,
                weights=weights,
            )

        return Evidential(
            loss,
            RecentPredictions(),
            lambda labels: pool_mean(labels, shares(labels)),
            self.evidence,
        )


Objective: TypeAlias = Annotated[
    CrossEntropy
    | Confidence
    | Product
    | Window
    | Entropy
    | ReverseKl
    | NaiveMultiWeak
    | Joint
    | Bayesian
    | Soft
    | SoftStep
    | LogconfStep
    | Edl
    | EdlStep,
    Field(discriminator="kind"),
]

CROSS_ENTROPY = CrossEntropy()
"""What every student minimises unless its arm says otherwise, and the ceiling."""


def refuse_tokens(objective: Objective, student: str) -> None:
    """Raise ConfigError if the objective is of single tokens, which the student does not write."""
    if objective.tokens:
        raise ConfigError(
            f"`objective: {objective.kind}` is of single tokens, and a {student} writes none; use "
            "a `language_model` student, or another objective."
        )


def begin(objective: Any, targets: Floats, weights: Floats, apart: Apart | None) -> "Running":
    """The objective of a training run on the examples with a weight.

    Args:
        objective: settings of one of the kinds.
        targets: (N, K).
        weights: (N,), >= 0.
        apart: labels of the same examples by supervisor.
    """
    kept = weights > 0
    some = None if apart is None else replace(apart, targets=apart.targets[kept])
    running: Running = objective.begin(targets[kept], some)
    return running
