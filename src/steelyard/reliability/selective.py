"""P(IK): the student's own answer where it knows it, smoothed weak labels elsewhere."""

from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.reliability.cross_fitting import Fold, held_out_folds
from steelyard.reliability.graph_smoothing import cosine_graph, smooth
from steelyard.reliability.on_features import Measure, OnFeatures, check_features
from steelyard.reliability.protocol import Choice, EstimationData, Features
from steelyard.types import Floats, Ints, Reliability, one_hot


class Selective(OnFeatures):
    """The student answers what it knows; the other examples have weak labels, smoothed.

    The student is trained on the true answers of weak_train, once on all and once without each
    fold. A logistic regression on the features, the classifier P(IK) ("I know"), learns on
    weak_train where the answer of the student that was trained without the example is right. Then
    the posterior of an example is

        what the student trained on all says       if P(IK) > knows
        q after `graph_smoothing`                  otherwise, q the mean vote

    and the score its largest entry. Example: the student is right on 60 of 80 rows of weak_train;
    features that tell the 60 from the 20 decide which answers are the student's.

    If the student is right (or wrong) on all of weak_train, P(IK) is 1 (or 0) for every example.
    It knows nothing if weak_train has one class, or its training collapses. Rows of a fold that
    collapses are no examples for P(IK).

    Source: Lang et al. 2026, "Selective Weak-to-Strong Generalization", arXiv:2511.14166 (the
        abstract alone was read; folds, the regression and the smoothing's formula are ours).
    """

    version: ClassVar[int] = 1
    needs_student: ClassVar[bool] = True
    needs_trusted: ClassVar[bool] = True

    kind: Literal["selective"] = "selective"
    measure: Measure = "confidence"
    """What the score is: the probability of the new label, or how it agrees with the votes."""
    knows: float = Field(0.5, ge=0, lt=1)
    """The student's answer counts where P(IK) is larger."""
    folds: int = Field(5, ge=2)
    """Parts of weak_train, each answered by a student that was trained on the others."""
    l2: float = Field(1e-2, gt=0)
    """Strength of the penalty of P(IK), as of `logistic`."""
    k: int = Field(10, ge=1)
    """Number of neighbours, as of `graph_smoothing`."""
    share: float = Field(0.5, ge=0, le=1)
    """Share of the neighbours' labels in a weak label, as there."""
    steps: int = Field(1, ge=1)
    """How often weak labels move, as there."""
    choice: Choice = "informed"
    """`random` lets the student answer as many examples, drawn at random: the control."""
    seed: int = Field(0, ge=0)
    """Random seed of the folds and of the control."""

    @property
    def uses_gold(self) -> bool:
        return True

    @property
    def at_random(self) -> "Selective | None":
        return self.model_copy(update={"choice": "random"}) if self.choice == "informed" else None

    def training_sizes(self, examples: int, trusted: int) -> tuple[int, ...]:
        part = int(np.ceil(trusted * (self.folds - 1) / self.folds - 1e-9))
        return (trusted, *[part] * self.folds)

    def estimate_from(self, data: EstimationData) -> Reliability:
        """Posterior and score from votes and features of N examples and trusted ones.

        Raises:
            ConfigError: there are no trusted examples.
        """
        votes = data.votes
        if data.trusted is None or data.features is None or not len(data.trusted.answers):
            raise ConfigError(
                "`selective` learns from true answers of weak_train what the student knows, and "
                "there are none; set `data.weak_train`, or take `graph_smoothing`."
            )
        rows = check_features(votes, data.features, self.kind)
        graph = cosine_graph(rows, np.flatnonzero(votes.answered), self.k)
        posterior = smooth(votes.means(), graph, self.share, self.steps)
        asked = self._asked(data)
        if asked is not None:
            features = np.concatenate([rows, data.trusted.features.astype(rows.dtype)])
            of_student = self._chosen(self._p_know(features, len(rows), asked))
            posterior[of_student] = asked.prediction[of_student]
        return self.scored(votes, posterior)

    def _asked(self, data: EstimationData) -> "_Asked | None":
        """What students of the trusted answers say; None if there is none of all answers."""
        assert data.trusted is not None
        assert data.predictor is not None
        answers, size = data.trusted.answers, len(data.votes.ids)
        if len(np.unique(answers)) < 2:
            return None
        index, targets = size + np.arange(len(answers)), one_hot(answers, data.votes.num_classes)
        folds = held_out_folds(index, targets, self.folds, self.seed)
        whole = Fold(index, targets, np.ones(len(index)), (np.arange(size),))
        usable = [fold for fold in folds if (fold.targets.sum(axis=0) > 0).sum() > 1]
        first, *others = data.predictor([whole, *usable], float(len(answers)))
        if first is None:
            return None
        right = np.full(len(answers), np.nan)
        for fold, answer in zip(usable, others, strict=True):
            if answer is not None:
                part = fold.asked[0] - size
                right[part] = answer[0].argmax(axis=1) == answers[part]
        return _Asked(first[0], right)

    def _p_know(self, features: Features, size: int, asked: "_Asked") -> Floats:
        """P(IK) of the examples, (N,)."""
        judged = np.flatnonzero(~np.isnan(asked.right))
        right = asked.right[judged].astype(np.int64)
        if len(np.unique(right)) < 2:
            return np.full(size, right[0] if len(right) else 0.0)
        head = HeadTargets(size + judged, one_hot(right, 2), np.ones(len(judged)))
        (fitted,) = fit_heads(features, [head], 1 / (2 * len(judged) * self.l2))
        return fitted.probabilities(features[:size])[:, 1]

    def _chosen(self, p_know: Floats) -> Ints:
        """The examples that the student answers."""
        informed = np.flatnonzero(p_know > self.knows)
        if self.choice == "informed":
            return informed
        return np.random.default_rng(self.seed).permutation(len(p_know))[: len(informed)]


class _Asked(NamedTuple):
    """Answers of students that are trained on true answers."""

    prediction: Floats  # (N, K), of the examples, by the student of all M trusted ones
    right: Floats  # (M,), 1 or 0: whether the held-out answer is right; nan where there is none
