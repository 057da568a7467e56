"""Objectives of several supervisors: they take a selection's labels apart (`selection: apart`)."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.objectives.base import _Objective
from steelyard.types import Floats, SupervisorTargets

if TYPE_CHECKING:
    from steelyard.objectives.state import Objective as Running


class _Shares:
    """Supervisors' weights, of those that answered an example."""

    def __init__(self, apart: SupervisorTargets | None) -> None:
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
        from steelyard.objectives.losses import shares_of_givers

        return shares_of_givers(self.weights.to(labels.device), labels.any(dim=-1))


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

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        from steelyard.objectives.losses import (
            cross_entropy,
            label_entropies,
            learnt_multi_weak,
            naive_multi_weak,
        )
        from steelyard.objectives.state import Learnt, Objective

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

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        from steelyard.objectives.losses import joint
        from steelyard.objectives.state import Objective

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

    def begin(self, targets: Floats, apart: SupervisorTargets | None) -> "Running":
        from steelyard.objectives.losses import RecentPredictions, bayesian, pool_mean, ramp
        from steelyard.objectives.state import Evidential

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
