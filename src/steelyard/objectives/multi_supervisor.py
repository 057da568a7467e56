"""Objectives of several supervisors, each with a label for each example.

They take a selection's labels per supervisor (`selection: per_supervisor`). Each function takes

    logits              (B, K), any float type
    targets             (B, M, K), rows sum to 1; any finite numbers of a supervisor that abstains
    supervisor_weights  lambda, (M,) or (B, M), sum to 1 over M; 0 drops a supervisor
    weights             (B,), not negative; None weighs each example 1

for B examples, M supervisors and K classes. With one supervisor of weight 1 each objective is that
of a single weak label.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal, TypeAlias

import torch
from pydantic import Field
from torch import Tensor

from steelyard.errors import ConfigError
from steelyard.objectives.base import BaseObjective
from steelyard.objectives.dirichlet import Evidence, dirichlet_mean, expected_entropy, vacuity
from steelyard.objectives.evidential import SoftMode, evidential
from steelyard.objectives.hardening import RecentPredictions, ramp
from steelyard.objectives.one_label import cross_entropy
from steelyard.objectives.reduction import mean_over_examples, widened
from steelyard.objectives.state import ObjectiveState
from steelyard.types import Floats

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of logits (B, K), targets (B, K) and weights (B,), as `cross_entropy`."""


def pool_mean(targets: Tensor, supervisor_weights: Tensor) -> Tensor:
    """sum_m lambda_m targets_m, (B, K): the linear pool."""
    return (per_example(supervisor_weights, targets)[..., None] * targets).sum(dim=1)


def pool_product(targets: Tensor, supervisor_weights: Tensor) -> Tensor:
    """prod_m targets_mk^lambda_m, scaled to sum to 1, (B, K): the logarithmic pool.

    A supervisor that excludes a class excludes it from the pool, unless each class is excluded by
    some supervisor: then the classes remain that the least weight of supervisors excludes.
    """
    targets = widened(targets)
    shares = per_example(supervisor_weights, targets)[..., None]
    excluded = (shares * (targets == 0)).sum(dim=1)
    least = excluded.amin(dim=-1, keepdim=True) + 1e-6
    logs = (shares * torch.where(targets > 0, targets, 1.0).log()).sum(dim=1)
    return torch.softmax(logs.masked_fill(excluded > least, -torch.inf), dim=-1)


def label_entropies(targets: Tensor) -> Tensor:
    """Entropy of each supervisor's mean label, (M,), in nats.

    Targets are those of the training set; a row sums to 0 where a supervisor abstains.
    """
    sums = widened(targets).sum(dim=0)
    mean = sums / sums.sum(dim=-1, keepdim=True).clamp(min=1e-30)
    entropies: Tensor = torch.special.entr(mean).sum(dim=-1)
    return entropies


def present_weights(supervisor_weights: Tensor, present: Tensor) -> Tensor:
    """Weights of the supervisors that are `present` (B, M), scaled to sum to 1, (B, M).

    A row of zeros where no supervisor answered: the example is not learned.
    """
    shares = supervisor_weights * present
    total = shares.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, shares / total.clamp(min=torch.finfo(shares.dtype).tiny), 0.0)


def per_example(supervisor_weights: Tensor, targets: Tensor) -> Tensor:
    """Supervisor weights as (B, M)."""
    return supervisor_weights.expand(targets.shape[:2])


class _MultiSupervisor(BaseObjective):
    """Keeps the supervisors' weights."""

    per_supervisor: ClassVar[bool] = True

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        if supervisor_weights is None:
            raise ConfigError(
                "An objective of several supervisors needs the labels of each; give the arm "
                "`selection: per_supervisor`."
            )
        weights = torch.from_numpy(supervisor_weights).float()
        return ObjectiveState(constants={"supervisor_weights": weights})

    def single_labels(self, targets: Tensor, state: ObjectiveState) -> Tensor:
        return pool_mean(targets, _weights(targets, state))


def _weights(targets: Tensor, state: ObjectiveState) -> Tensor:
    """Weights (B, M) of labels (B, M, K); the row of an abstaining supervisor is all zero."""
    weights = state.constants["supervisor_weights"].to(targets.device)
    return present_weights(weights, targets.any(dim=-1))


class NaiveMultiWeak(_MultiSupervisor):
    """sum over supervisors of lambda_m * CE(q_m): every supervisor's label has a share.

    The share of a supervisor that abstains goes to the others.

    Source: Cui et al. 2024, arXiv:2406.03199, "Naive Multi-Weak"; learned weights Jeon et al. 2025,
        arXiv:2510.21332 (RAVEN).
    """

    kind: Literal["naive_multi_weak"] = "naive_multi_weak"
    learn_weights: bool = False
    """Learn lambda together with the student, from the selection's weights."""
    temperature: float = Field(0.1, gt=0)
    """Temperature of learned weights, in nats: a fit that is worse by this costs a factor e."""

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        state = super().start(targets, supervisor_weights)
        if self.learn_weights:
            labels = torch.from_numpy(targets).float()
            state.constants["baselines"] = label_entropies(labels)
            state.learned["raw"] = torch.zeros(labels.shape[1], requires_grad=True)
        return state

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        if not self.learn_weights:
            shares = _weights(targets, state)
            return naive_multi_weak(cross_entropy, logits, targets, shares, weights)
        device = logits.device
        return learned_multi_weak(
            cross_entropy,
            logits,
            targets,
            state.learned["raw"].to(device),
            baselines=state.constants["baselines"].to(device),
            prior=state.constants["supervisor_weights"].to(device),
            temperature=self.temperature,
            present=targets.any(dim=-1),
            weights=weights,
        )


def naive_multi_weak(
    loss: Loss,
    logits: Tensor,
    targets: Tensor,
    supervisor_weights: Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """sum_m lambda_m * loss(logits, targets_m), of a `loss` that is linear in example weights.

    Source: Cui et al. 2024, arXiv:2406.03199, "Naive Multi-Weak".
    """
    shares = per_example(supervisor_weights, targets)
    if weights is not None:
        shares = shares * weights[:, None]
    parts = [loss(logits, targets[:, m], shares[:, m]) for m in range(targets.shape[1])]
    return torch.stack(parts).sum()


def learned_multi_weak(
    loss: Loss,
    logits: Tensor,
    targets: Tensor,
    raw: Tensor,
    *,
    baselines: Tensor,
    prior: Tensor,
    temperature: float,
    present: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """sum_m lambda_m loss_m - sum_m (lambda_m - prior_m) b_m + T KL(lambda || prior).

    lambda = softmax(raw + ln prior) is learned together with the student, raw (M,) from zeros.
    Without the second and third term the best lambda is one-hot at the supervisor that is the
    easiest to imitate, such as one that always gives the same answer: no loss, and nothing learned.
    b_m is the loss of the best student that ignores the questions; b_m - loss_m is what this
    student explains of m's labels, which is 0 for constant, random or uniform labels.
    The best lambda is proportional to prior_m exp((b_m - loss_m) / T): explaining T nats less
    costs a factor e, and no weight falls to 0. A supervisor that follows a superficial trait of the
    texts is explained well too; only a prior from trusted rows prevents that.

    `baselines` b (M,) are over the training set (for cross-entropy `label_entropies`). `prior` (M,)
    is positive and sums to 1: uniform, or proportional to estimated accuracy. `temperature` T is in
    nats. With `present` (B, M) lambda is shared among the supervisors that answered, so that an
    abstention is no perfect fit.

    Source: Jeon et al. 2025, RAVEN, "Weak-to-Strong Generalization under Distribution Shifts",
        arXiv:2510.21332 (weights on the simplex learned by gradient with the student's; there
        clamped, begun on easy examples and reset after each epoch; the baselines and the
        divergence, which keep them from collapsing, are ours).
    """
    logs = torch.log_softmax(raw + prior.log(), dim=0)
    shares = logs.exp()
    answered = torch.ones_like(targets[..., 0]) if present is None else present
    each = present_weights(shares, answered)
    moved = ((each - present_weights(prior, answered)) * baselines).sum(dim=1)
    fits = naive_multi_weak(loss, logits, targets, each, weights)
    fits = fits - mean_over_examples(moved, weights)
    return fits + temperature * (shares * (logs - prior.log())).sum()


class Joint(_MultiSupervisor):
    """Cross-entropy with the supervisors' pooled label, one for each example.

    Source: Cui et al. 2024, arXiv:2406.03199, joint decoding (there over answers that the
        supervisors generate).
    """

    kind: Literal["joint"] = "joint"
    pool: Literal["product", "mean"] = "product"
    """The weighted geometric mean of the supervisors' distributions, or their mean, which makes it
    `naive_multi_weak`."""

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        pool = pool_product if self.pool == "product" else pool_mean
        return cross_entropy(logits, pool(targets, _weights(targets, state)), weights)


class Bayesian(_MultiSupervisor):
    """The student predicts a Dirichlet distribution; the supervisors' labels are evidence.

    (1 - g) sum_m lambda_m EDL(alpha ; q_m) + g EDL(alpha ; the student's prediction): see
    `bayesian`. The divergence's weight rises from 0 to `kl_weight` over training. The student's
    probabilities are the Dirichlet's mean, and it reports how much evidence it has.

    Source: Cui et al. 2024, arXiv:2406.03199, equations 4 and 5; Sensoy et al. 2018,
        arXiv:1806.01768.
    """

    version: ClassVar[int] = 2  # predictions in the labels' shares, the uncertainty is kept

    kind: Literal["bayesian"] = "bayesian"
    evidence: Literal["relu", "softplus", "exp"] = "exp"
    """How logits become evidence. Under `exp` a student learns about as fast as with the
    cross-entropy, under `softplus` slowly; under `relu` an answer with a negative logit does not
    learn."""
    soft_mode: Literal["target", "expected", "argmax"] = "expected"
    """How a supervisor's distribution is read: unchanged, as labels drawn from it, or hardened."""
    kl_weight: float = Field(0.1, ge=0)
    """Weight of the divergence from no evidence, at the end of its rise (Sensoy et al.: 1)."""
    annealing: float = Field(1.0, ge=0, le=1)
    """Share of training over which that weight rises."""
    self_weight: float = Field(0.2, ge=0, le=1)
    """Weight g of the student's own prediction (the source: 1/2). Where supervisors are uncertain,
    a g that is large before the student has learned something leaves it at one class."""
    warmup: float = Field(1.0, ge=0, le=1)
    """Share of training over which g rises (the source: none)."""
    threshold: Literal["prior", "argmax"] = "prior"
    """Harden the student's predictions in the shares that the supervisors' labels have, or take its
    most probable class (the source), with which it may end at one class."""

    @property
    def matches_class_shares(self) -> bool:
        return self.threshold == "prior"

    def start(self, targets: Floats, supervisor_weights: Floats | None = None) -> ObjectiveState:
        state = super().start(targets, supervisor_weights)
        state.recent = RecentPredictions()
        return state

    def loss(
        self, logits: Tensor, targets: Tensor, weights: Tensor, state: ObjectiveState
    ) -> Tensor:
        return bayesian(
            logits,
            targets,
            _weights(targets, state),
            evidence=self.evidence,
            kl_weight=ramp(self.kl_weight, state.progress, self.annealing),
            soft_mode=self.soft_mode,
            self_weight=ramp(self.self_weight, state.progress, self.warmup),
            offsets=state.offsets if self.threshold == "prior" else None,
            weights=weights,
        )

    def probabilities(self, logits: Tensor) -> Tensor:
        return dirichlet_mean(logits.double(), self.evidence)

    def uncertainties(self, logits: Tensor) -> dict[str, Tensor]:
        wide = logits.double()
        return {
            "vacuity": vacuity(wide, self.evidence),
            "expected_entropy": expected_entropy(wide, self.evidence),
        }


def bayesian(
    logits: Tensor,
    targets: Tensor,
    supervisor_weights: Tensor,
    *,
    evidence: Evidence,
    kl_weight: float,
    soft_mode: SoftMode = "expected",
    self_weight: float = 0.5,
    offsets: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """(1 - g) sum_m lambda_m EDL(alpha ; targets_m) + g EDL(alpha ; the student's prediction).

    g is `self_weight`, in [0, 1]; all options are those of `evidential`.

    Source: Cui et al. 2024, arXiv:2406.03199, equation 5.
    """

    loss = partial(
        evidential,
        evidence=evidence,
        kl_weight=kl_weight,
        soft_mode=soft_mode,
        self_weight=self_weight,
        offsets=offsets,
    )
    return naive_multi_weak(loss, logits, targets, supervisor_weights, weights)
