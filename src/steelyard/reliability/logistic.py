"""Reliability from a logistic head on features."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.models.logistic import HeadTargets, fit_heads
from steelyard.reliability.on_features import OnFeatures, check_features
from steelyard.reliability.protocol import Features
from steelyard.types import Floats, Ints, Reliability, Votes


class Logistic(OnFeatures):
    """The prediction of a logistic regression on the features, compared with the example's label.

    The head minimises over W (d, K) and b

        mean_i -sum_a q_i(a) ln p_i(a) + l2 |W|^2        p_i = softmax(W' x_i + b)

    with q the mean distribution of an example's votes. Two classes share one column, p = sigmoid.
    The head predicts the examples it was fitted to, as in the source: cross-fitted predictions had
    worse labels on real text. If all votes are for one class it is predicted; without votes p = q.

    Raises (in `estimate`): TrainingError if the head is not found.

    Source: EleutherAI/w2s, `w2s/probe.py` (`LogisticProbe`) and `w2s/logistic.py`, there with an l2
        of 0.001 (soft labels of more than two classes are ours).
    """

    version: ClassVar[int] = 1

    kind: Literal["logistic"] = "logistic"
    l2: float = Field(1e-2, gt=0)
    """Strength of the penalty; scikit-learn's C is 1 / (2 N l2)."""

    def estimate(self, votes: Votes, features: Features) -> Reliability:
        """Posterior and score from (N, d) features, row i of `votes.ids[i]`."""
        rows, labels = check_features(votes, features, self.kind), votes.means()
        answered = np.flatnonzero(votes.answered)
        prediction = self._predict(rows, labels, answered) if len(answered) else labels
        return self.scored(votes, prediction)

    def _predict(self, features: Features, labels: Floats, answered: Ints) -> Floats:
        """Labels (N, K) predicted by a head that is trained on those of the answered rows."""
        targets = labels[answered]
        share = targets.mean(axis=0)
        if (share > 0).sum() < 2:
            return np.tile(share, (len(labels), 1))
        strength = 1 / (2 * len(answered) * self.l2)
        (head,) = fit_heads(
            features, [HeadTargets(answered, targets, np.ones(len(answered)))], strength
        )
        return head.probabilities(features)
