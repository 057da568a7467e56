"""Two stages: train on what voters agree on, and let that student answer the discarded rest."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.cross_fitting import Fold, over_options
from steelyard.reliability.protocol import BaseEstimator, Choice, EstimationData
from steelyard.types import Floats, Ints, Reliability, one_hot
from steelyard.types.task_kinds import AnswerForm


class TwoStage(BaseEstimator):
    """Labels that voters agree on, and confident answers of a student that was trained on these.

    With n(a) the votes of example i for answer a, among n readable ones,

        A = {i: max_a n(a) / n > threshold}                     label: the answer of most votes
        B = {i not in A: max_a p(a) > confidence}               label: argmax_a p(a)

    where p is what the student of stage I says, trained on A alone and asked the discarded
    examples. The posterior is the vote shares in A and p elsewhere; the score is the largest entry
    of the posterior in A and B, and 0 of the others, which `selection: above` drops. The arm's
    student is stage II: trained anew on A and B.

    Example: five voters, threshold .7. Shares .8 and 1 are in A, .6 is discarded. Of two discarded
    examples with p = (.9, .1) and (.4, .6), confidence .7 takes the first with the first answer.

    Where A is empty nothing is kept; where it has one class, or stage I collapses, B is empty.
    Examples without a readable vote are in neither.

    Source: Shi et al. 2025, "How to Mitigate Overfitting in Weak-to-strong Generalization?",
        arXiv:2503.04249 (the abstract and a summary of the method were read; there for written
        answers, whose share and confidence are those of sampled solutions: the student's
        probability in place of its samples is ours).
    """

    version: ClassVar[int] = 1
    needs_questions: ClassVar[bool] = True
    needs_student: ClassVar[bool] = True
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair")
    scope: ClassVar[str] = "`two_stage` lets the student choose among given answers"
    instead: ClassVar[str] = "an estimator of votes alone"

    kind: Literal["two_stage"] = "two_stage"
    threshold: float = Field(0.7, ge=0.5, lt=1)
    """Stage I is trained on examples of which one answer has a larger share of the votes."""
    confidence: float = Field(0.7, ge=0, lt=1)
    """Stage II adds discarded examples whose new answer has a larger probability."""
    choice: Choice = "informed"
    """`random` adds as many discarded examples at random: the control."""
    seed: int = Field(0, ge=0)
    """Random seed of the control."""

    @property
    def at_random(self) -> "TwoStage | None":
        return self.model_copy(update={"choice": "random"}) if self.choice == "informed" else None

    def training_sizes(self, examples: int, trusted: int) -> tuple[int, ...]:
        return (examples,)

    def estimate_from(self, data: EstimationData) -> Reliability:
        """Posterior, and its largest entry as score in A and B; 0 elsewhere.

        Args:
            data: votes on N examples with given answers, and what trains the student.
        """
        votes = data.votes
        posterior = votes.shares()
        first = votes.answered & (posterior.max(axis=1, initial=0) > self.threshold)
        discarded = np.flatnonzero(votes.answered & ~first)
        kept = np.flatnonzero(first)
        prediction = self._stage_one(data, posterior, kept, discarded)
        second = np.zeros(0, dtype=np.int64)
        if prediction is not None:
            posterior[discarded] = prediction
            second = self._added(prediction, discarded)
        score = np.zeros(len(votes.ids))
        rows = np.concatenate([kept, second])
        score[rows] = posterior[rows].max(axis=1, initial=0)
        return Reliability(votes.ids, posterior, score)

    def _stage_one(
        self, data: EstimationData, shares: Floats, kept: Ints, discarded: Ints
    ) -> Floats | None:
        """What the student of stage I says about the discarded examples; None without a student."""
        assert data.predictor is not None
        labels = shares[kept].argmax(axis=1)
        least = 2 if data.has_classes else 1
        if not len(discarded) or len(np.unique(labels) if data.has_classes else labels) < least:
            return None
        fold = Fold(kept, one_hot(labels, data.votes.num_classes), np.ones(len(kept)), (discarded,))
        (answer,) = data.predictor([fold], float(len(kept)))
        return None if answer is None else over_options(answer[0], data.votes.possible[discarded])

    def _added(self, prediction: Floats, discarded: Ints) -> Ints:
        """The examples of B."""
        rows = np.flatnonzero(prediction.max(axis=1) > self.confidence)
        if self.choice == "random":
            rows = np.random.default_rng(self.seed).permutation(len(discarded))[: len(rows)]
        return discarded[rows]
