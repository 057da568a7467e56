"""CROWDLAB: voters and a classifier of the texts vote together, each by how far it is trusted."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.reliability.cross_fitting import cross_fitted
from steelyard.reliability.on_features import Measure, OnFeatures, check_features
from steelyard.reliability.protocol import Features
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.types.arrays import leaders, tally

LEAST_WEIGHT = 1e-6
"""Weight of a voter, or of the classifier, that is no better than always the same class."""


class Crowdlab(OnFeatures):
    """The mean of a classifier's prediction and the votes, weighted by estimated accuracy.

    The classifier is a logistic regression on the features, trained on the majority's labels of the
    other folds; p is its prediction. With y the consensus, P the mean share of the votes on an
    example that agree with it, and n the votes on an example,

        posterior ~ w_M p + sum over votes of w_v e      e = P for the vote's answer, and
                                                             (1 - P) / (K - 1) for each other one
        w_v = 1 - (1 - agreement of v with the other voters) / E
        w_M = (1 - (share of examples where argmax p is not y) / E) sqrt(mean n)
        E   = share of examples whose y is not the most frequent y

    where weights are at least 1e-6 and P, w_M, E count examples of at least two votes. The
    consensus is the majority (ties: the larger p), and then once more the best answer of the
    posterior. A voter who shares no example with another has the mean agreement. Where no example
    has two votes nothing tells voters from the classifier, and the posterior is the mean of p and
    the vote. An example without a readable vote has the prediction p, and score 0. Probabilities of
    votes are ignored.

    It can be used as `{name: crowdlab, reliability: crowdlab, selection: keep}`.

    Raises (in `estimate`): TrainingError if a regression is not found.

    Source: Goh et al. 2022, "CROWDLAB: Supervised learning to infer consensus labels and quality
        scores for data with multiple annotators", arXiv:2210.06812; from the authors' code,
        `get_label_quality_multiannotator` of cleanlab (`consensus_method="best_quality"`).
    """

    version: ClassVar[int] = 1

    kind: Literal["crowdlab"] = "crowdlab"
    measure: Measure = "confidence"
    """What the score is: the probability of the consensus as in the source, or how the posterior
    agrees with the votes."""
    folds: int = Field(5, ge=2)
    """Parts into which the examples are divided for the classifier."""
    l2: float = Field(1e-2, gt=0)
    """Strength of the classifier's penalty, as of `logistic`."""
    seed: int = Field(0, ge=0)
    """Random seed for the folds."""

    def estimate(self, votes: Votes, features: Features) -> Reliability:
        """Posterior and score from (N, d) features, row i of `votes.ids[i]`."""
        rows = check_features(votes, features, self.kind)
        majority = leaders(votes.shares())
        weights = votes.answered.astype(np.float64)
        prediction = cross_fitted(
            rows, majority, weights, folds=self.folds, l2=self.l2, seed=self.seed
        )
        return self.scored(votes, crowdlab_posterior(votes, prediction))


def crowdlab_posterior(votes: Votes, prediction: Floats) -> Floats:
    """The posterior (N, K) of `Crowdlab` from any classifier's predictions (N, K)."""
    table = _Annotations.of(votes)
    if not table.several.any():
        mean: Floats = (prediction + votes.shares()) / 2
        return np.where(votes.answered[:, None], mean, prediction)
    first = table.posterior(prediction, leaders(leaders(table.counts) * (1 + prediction)))
    return table.posterior(prediction, leaders(first))


@dataclass(frozen=True, eq=False)
class _Annotations:
    """E readable votes, sorted by example."""

    example: Ints  # (E,)
    answer: Ints  # (E,)
    counts: Floats  # (N, K), votes for each answer
    agreement: Floats  # (E,), of the vote's voter with the other voters

    @classmethod
    def of(cls, votes: Votes) -> "_Annotations":
        read = votes.answer != ABSTAIN
        example, answer, voter = votes.example[read], votes.answer[read], votes.voter[read]
        counts = votes.counts
        alike = tally(voter, len(votes.voters), counts[example, answer] - 1)
        others = tally(voter, len(votes.voters), counts.sum(axis=1)[example] - 1)
        overlap = others > 0
        agreement = np.divide(alike, others, out=np.zeros(len(others)), where=overlap)
        if overlap.any():
            agreement[~overlap] = agreement[overlap].mean()
        return cls(example, answer, counts, agreement[voter])

    @property
    def several(self) -> npt.NDArray[np.bool_]:
        """Which examples have two votes or more, (N,)."""
        several: npt.NDArray[np.bool_] = self.counts.sum(axis=1) > 1
        return several

    def posterior(self, prediction: Floats, consensus: Floats) -> Floats:
        """The posterior (N, K) if these are the examples' labels (N, K), ties having shares."""
        size, k = prediction.shape
        number, several = self.counts.sum(axis=1), self.several
        agreeing = (self.counts * consensus).sum(axis=1)
        right = float((agreeing[several] / number[several]).mean())
        wrong = (1 - right) / max(k - 1, 1)
        base_error = max(1 - float(consensus[several].mean(axis=0).max()), LEAST_WEIGHT)
        voter_weight = np.maximum(1 - (1 - self.agreement) / base_error, LEAST_WEIGHT)
        hits = (leaders(prediction) * consensus).sum(axis=1)
        model_weight = max(1 - (1 - float(hits[several].mean())) / base_error, LEAST_WEIGHT)
        model_weight *= float(np.sqrt(number[number > 0].mean()))
        of_example = tally(self.example, size, voter_weight)
        for_answer = tally(self.example * k + self.answer, size * k, voter_weight)
        total = model_weight * prediction + wrong * of_example[:, None]
        total += (right - wrong) * for_answer.reshape(size, k)
        posterior: Floats = total / total.sum(axis=1, keepdims=True)
        return posterior
