"""Labels refined by predictions of examples that a model of their features was not trained on."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import InputError
from steelyard.reliability.cross_fitting import FeatureHeads
from steelyard.reliability.on_features import Measure, OnFeatures, check_features
from steelyard.reliability.protocol import EstimationData, Features, TrustedExamples
from steelyard.reliability.refinement import Rounds, refine
from steelyard.types import Reliability, Votes


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
        rows, answers = check_features(votes, features, self.kind), None
        if trusted is not None and len(np.unique(trusted.answers)) > 1:
            rows = np.concatenate([rows, check_width(trusted.features, rows)])
            answers = trusted.answers
        rounds = Rounds(self.rounds, self.folds, self.keep, self.votes_share, self.seed)
        posterior = refine(votes, rounds, FeatureHeads(rows, self.l2), answers)
        return self.scored(votes, posterior)


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
