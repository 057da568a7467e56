"""Losses. Pure functions of tensors, in nats, computed in float32 or better.

All but those of one token divide by the number of examples B and not by the sum of weights, so that
the mean over batches estimates the loss over the training set and parts of a batch add up to it.
"""

from steelyard.objectives.losses.classification import (
    confidence,
    cross_entropy,
    entropy,
    midweak_radius,
    product,
    reverse_cross_entropy,
    reverse_kl,
    window,
)
from steelyard.objectives.losses.completion import answer_likelihoods, completion_loss
from steelyard.objectives.losses.dirichlet import dirichlet_mean, expected_entropy, vacuity
from steelyard.objectives.losses.evidential import evidential
from steelyard.objectives.losses.hardening import (
    RecentPredictions,
    harden,
    legacy_ramp,
    prior_offsets,
    ramp,
)
from steelyard.objectives.losses.multi_supervisor import (
    bayesian,
    joint,
    label_entropies,
    learnt_multi_weak,
    naive_multi_weak,
    pool_mean,
    pool_product,
    shares_of_givers,
)
from steelyard.objectives.losses.preference import dpo, implicit_reward, preference_confidence, wspo
from steelyard.objectives.losses.tokens import (
    bernoulli_kl,
    edl,
    edl_step,
    logconf_step,
    mean_over_answers,
    soft,
    soft_step,
    xent,
)
from steelyard.objectives.losses.uniform_tokens import (
    dir_loss,
    edl_conf,
    edl_confer,
    flat_kl,
    soft_confer,
)
from steelyard.objectives.losses.whole_answers import above_entropy, logconf, logconf_confer

__all__ = [
    "RecentPredictions",
    "above_entropy",
    "answer_likelihoods",
    "bayesian",
    "bernoulli_kl",
    "completion_loss",
    "confidence",
    "cross_entropy",
    "dir_loss",
    "dirichlet_mean",
    "dpo",
    "edl",
    "edl_conf",
    "edl_confer",
    "edl_step",
    "entropy",
    "evidential",
    "expected_entropy",
    "flat_kl",
    "harden",
    "implicit_reward",
    "joint",
    "label_entropies",
    "learnt_multi_weak",
    "legacy_ramp",
    "logconf",
    "logconf_confer",
    "logconf_step",
    "mean_over_answers",
    "midweak_radius",
    "naive_multi_weak",
    "pool_mean",
    "pool_product",
    "preference_confidence",
    "prior_offsets",
    "product",
    "ramp",
    "reverse_cross_entropy",
    "reverse_kl",
    "shares_of_givers",
    "soft",
    "soft_confer",
    "soft_step",
    "vacuity",
    "window",
    "wspo",
    "xent",
]
