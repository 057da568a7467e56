"""Labels refined by a student's own predictions of examples that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import InputError
from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.reliability.on_features import Measure, OnFeatures, check_features
from steelyard.reliability.protocol import EstimationData, Features, TrustedExamples
from steelyard.types import Floats, Ints, Reliability, Votes, one_hot

SMALLEST = 1e-3
"""Least probability in a geometric mean: no vote and no prediction is taken for certain."""
TIED = 1e-9
"""Difference up to which two probabilities are equal."""
EXPONENTS = (0.2, 0.3, 0.5, 0.7, 1.0, 1.4)
"""Exponents tried on the predictions of a head that is trained on trusted examples alone."""


class SelfTraining(OnFeatures):
    """Cross-fitted, class-balanced self-training: predict, relabel, keep the surest, repeat.

    A round divides the examples into folds at random. For each fold a logistic regression on the
    features is trained on the kept examples of the other folds and predicts the fold. With p the
    prediction and q the start, the posterior is

        P(k) ~ p(k)^(1 - m) q(k)^m,    m = votes_share

    its largest entry the new label and the score, and the share `keep` of each class with the
    highest scores is what the next round is trained on. The weights of class k sum to
    sqrt(share of k in the votes), between its share and an equal one. The start is the mean vote
    over the share of the class, q(k) ~ mean vote(k) / share(k): otherwise a class that voters
    rarely name would vanish. No prediction comes from a model that was trained on the
    example: an error must be made again from other examples to survive. Without the division by
    class nothing reliable is gained: the frequent class crowds out the others.

    With trusted examples (`gold: use`) the start is multiplied by p_gold(k)^t, the prediction of a
    regression on these alone, with the exponent t under which their own cross-fitted predictions
    are likeliest; and they are training examples of every round, each class with the same weight.

    Examples with two labels that are equally probable are not trained on in that round. Those
    without a readable vote are predicted by the regressions of all folds, with score 0.

    Raises (in `estimate`): TrainingError if a regression is not found.

    Source: Scudder 1965, "Probability of error of some adaptive pattern-recognition machines"
        (self-training); Zou et al. 2018, "Unsupervised Domain Adaptation for Semantic Segmentation
        via Class-Balanced Self-Training" (the surest of each class); Chen et al. 2019,
        "Understanding and Utilizing Deep Neural Networks Trained with Noisy Labels" (predictions
        from other folds). Their union, the start and trusted examples are ours.
    """

    version: ClassVar[int] = 1

    kind: Literal["self_training"] = "self_training"
    measure: Measure = "confidence"
    """What the score is: the probability of the new label, or how the prediction agrees with the
    votes."""
    rounds: int = Field(3, ge=1)
    """How often all examples are predicted and relabelled."""
    folds: int = Field(5, ge=2)
    """Parts into which the examples are divided."""
    keep: float = Field(0.5, gt=0, le=1)
    """Share of each class's examples that the next round is trained on."""
    votes_share: float = Field(0.3, ge=0, lt=1)
    """Share of the start in the posterior, in logarithms; 0 is the prediction alone."""
    l2: float = Field(1e-2, gt=0)
    """Strength of the penalty of the regressions, as of `logistic`."""
    gold: Literal["ignore", "use"] = "ignore"
    """`use` trains on the true answers of weak_train as well."""
    seed: int = Field(0, ge=0)
    """Random seed for the folds."""

    @property
    def uses_gold(self) -> bool:
        return self.gold == "use"

    def estimate_from(self, data: EstimationData) -> Reliability:
        assert data.features is not None
        return self.estimate(data.votes, data.features, data.trusted if self.uses_gold else None)

    def estimate(
        self, votes: Votes, features: Features, trusted: TrustedExamples | None = None
    ) -> Reliability:
        """Posterior and score from (N, d) features, row i of `votes.ids[i]`.

        Args:
            votes: on N examples.
            features: of the examples.
            trusted: other examples with true answers.
        """
        rows, mean = check_features(votes, features, self.kind), votes.means()
        answered = np.flatnonzero(votes.answered)
        if not len(answered) or (mean[answered].max(axis=0) > 0).sum() < 2:
            return Reliability(votes.ids, mean, np.where(votes.answered, mean.max(axis=1), 0.0))
        shares = np.maximum(mean[answered].mean(axis=0), SMALLEST)
        start = mean / shares
        start[~votes.answered] = 1.0
        start /= start.sum(axis=1, keepdims=True)
        size, gold = len(rows), None
        if trusted is not None and len(np.unique(trusted.answers)) > 1:
            rows = np.concatenate([rows, check_width(trusted.features, rows)])
            gold = self._gold_head(rows, size, trusted.answers, votes.num_classes)
            start = geometric_mean((start, gold.prediction), (1.0, gold.exponent))
        posterior, weights = start, np.zeros(size)
        kept_share = 1.0 if gold is None else self.keep
        for number in range(self.rounds):
            weights = class_weights(posterior, answered, kept_share, np.sqrt(shares))
            prediction = self._predicted(
                rows, posterior, answered, weights, gold, self.seed + number
            )
            posterior = geometric_mean(
                (prediction, start), (1 - self.votes_share, self.votes_share)
            )
            kept_share = self.keep
        return self.scored(votes, posterior)

    def _predicted(
        self,
        rows: Features,
        posterior: Floats,
        answered: Ints,
        weights: Floats,
        gold: "_Gold | None",
        seed: int,
    ) -> Floats:
        """Predictions (N, K) of each example by a head that is trained without its fold."""
        size, k = posterior.shape
        label = posterior.argmax(axis=1)
        fold = np.full(size, -1)
        fold[answered] = np.random.default_rng(seed).permutation(len(answered)) % self.folds
        heads = []
        for number in range(self.folds):
            used = np.flatnonzero((weights > 0) & (fold != number))
            targets, weight = one_hot(label[used], k), weights[used]
            if gold is not None:
                used = np.concatenate([used, gold.rows])
                targets = np.concatenate([targets, one_hot(gold.answers, k)])
                weight = np.concatenate([weight, gold.weights])
            heads.append(HeadTargets(used, targets, weight))
        prediction = np.full((size, k), 1 / k)
        usable = [i for i, head in enumerate(heads) if has_two_classes(head)]
        if usable:
            mean_size = float(np.mean([heads[i].weights.sum() for i in usable]))
            strength = 1 / (2 * mean_size * self.l2)
            fitted = fit_heads(rows, [heads[i] for i in usable], strength)
            for i, head in zip(usable, fitted, strict=True):
                part = np.flatnonzero(fold == i)
                prediction[part] = head.probabilities(rows[part])
            others = np.flatnonzero(fold < 0)
            if len(others):
                of_heads = [head.probabilities(rows[others]) for head in fitted]
                prediction[others] = np.mean(of_heads, axis=0)
        return prediction

    def _gold_head(self, rows: Features, size: int, answers: Ints, k: int) -> "_Gold":
        """What the trusted rows, those from `size` on, say about the others."""
        index = np.arange(size, len(rows))
        counts = np.bincount(answers, minlength=k)
        weights = len(answers) / (counts > 0).sum() / counts[answers]
        strength = 1 / (2 * len(answers) * self.l2)
        fold = np.random.default_rng(self.seed).permutation(len(answers)) % self.folds
        whole = HeadTargets(index, one_hot(answers, k), weights)
        heads = [whole]
        for number in range(self.folds):
            used = fold != number
            heads.append(HeadTargets(index[used], one_hot(answers[used], k), weights[used]))
        usable = [i for i, head in enumerate(heads) if has_two_classes(head)]
        fitted = dict(
            zip(usable, fit_heads(rows, [heads[i] for i in usable], strength), strict=True)
        )
        held_out = np.full((len(answers), k), 1 / k)
        for number in range(self.folds):
            part = np.flatnonzero(fold == number)
            if number + 1 in fitted and len(part):
                held_out[part] = fitted[number + 1].probabilities(rows[index[part]])
        likelihood = [
            np.log(geometric_mean((held_out,), (t,))[np.arange(len(answers)), answers]).mean()
            for t in EXPONENTS
        ]
        exponent = EXPONENTS[int(np.argmax(likelihood))]
        prediction = fitted[0].probabilities(rows[:size])
        return _Gold(index, answers, weights, prediction, exponent)


@dataclass(frozen=True, eq=False)
class _Gold:
    """Trusted examples among the rows, and what a head on these alone says about the others."""

    rows: Ints  # (M,)
    answers: Ints  # (M,)
    weights: Floats  # (M,), mean 1, each class with the same sum
    prediction: Floats  # (N, K)
    exponent: float


def class_weights(posterior: Floats, answered: Ints, share: float, of_class: Floats) -> Floats:
    """Weights (N,) of the surest examples of each class, mean 1 of those that are kept.

    Args:
        posterior: (N, K); the label of an example is its largest entry.
        answered: rows that may be kept, unless two labels are equally probable.
        share: of each class that is kept, rounded up.
        of_class: (K,), in proportion to which the weights of each class sum.
    """
    label, score = posterior.argmax(axis=1), posterior.max(axis=1)
    clear = (posterior >= score[:, None] - TIED).sum(axis=1) == 1
    answered = answered[clear[answered]]
    weights = np.zeros(len(posterior))
    for k in range(posterior.shape[1]):
        rows = answered[label[answered] == k]
        count = int(np.ceil(share * len(rows)))
        if count:
            best = rows[np.argsort(-score[rows], kind="stable")[:count]]
            weights[best] = of_class[k] / count
    kept = weights > 0
    if kept.any():
        weights[kept] /= weights[kept].mean()
    return weights


def geometric_mean(rows: Sequence[Floats], exponents: Sequence[float]) -> Floats:
    """Distributions (N, K) in proportion to the product of powers of the given ones."""
    logs = [t * np.log(np.maximum(part, SMALLEST)) for part, t in zip(rows, exponents, strict=True)]
    total = np.sum(logs, axis=0)
    powers = np.exp(total - total.max(axis=1, keepdims=True))
    mean: Floats = powers / powers.sum(axis=1, keepdims=True)
    return mean


def has_two_classes(head: HeadTargets) -> bool:
    """Whether a regression can be trained on these examples."""
    return len(head.rows) > 0 and int((head.weights @ head.targets > 0).sum()) > 1


def check_width(features: Features, rows: Features) -> Features:
    """The features of the trusted examples, which must be of the same model.

    Raises:
        InputError: they have another number of columns.
    """
    if features.ndim != 2 or features.shape[1] != rows.shape[1]:
        raise InputError(
            f"features of the trusted examples have shape {features.shape}, those of the others "
            f"{rows.shape}; they must come from one model."
        )
    return np.asarray(features, dtype=rows.dtype)
