"""Labels refined by the student's own predictions of examples that it was not trained on."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.reliability.protocol import BaseEstimator, EstimationData
from steelyard.reliability.refinement import Rounds, refine
from steelyard.types import Reliability
from steelyard.types.task_kinds import AnswerForm


class StudentSelfTraining(BaseEstimator):
    """`self_training` whose predictions come from the student itself, trained without each fold.

    The rounds are those of `self_training`. In place of a regression on frozen features the
    student of the study is trained for each fold, with its own settings and the steps of its own
    `epochs` over the kept examples of the other folds, on the cross-entropy; a probe's folds are
    solved together. That is `rounds` times `folds` trainings in each seed, and with `gold: use`
    one on the trusted examples alone and one for each fold of them. Each is kept: a stopped study
    goes on where it was, and arms that differ in selection alone share them. A fold whose training
    collapses is not predicted: its posterior is the start.

    Classes are balanced as there. The options of multiple choice, and the two answers of a
    preference, have no class in common: which position is right says nothing of the next question.
    So they are not balanced: the start is the mean vote itself, the share `keep` of all examples
    is kept, and all weigh the same, trusted ones too.

    Source: as `self_training`.
    """

    version: ClassVar[int] = 1
    needs_questions: ClassVar[bool] = True
    needs_student: ClassVar[bool] = True
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair")
    scope: ClassVar[str] = "`student_self_training` relabels questions with given answers"
    instead: ClassVar[str] = "an estimator of votes alone"

    kind: Literal["student_self_training"] = "student_self_training"
    rounds: int = Field(3, ge=1)
    """How often all examples are predicted and relabelled."""
    folds: int = Field(5, ge=2)
    """Parts into which the examples are divided."""
    keep: float = Field(0.5, gt=0, le=1)
    """Share of each class's examples, or of all that have options, that the next round is trained
    on."""
    votes_share: float = Field(0.3, ge=0, lt=1)
    """Share of the start in the posterior, in logarithms; 0 is the prediction alone."""
    gold: Literal["ignore", "use"] = "ignore"
    """`use` trains on the true answers of weak_train as well."""
    seed: int = Field(0, ge=0)
    """Random seed for the folds."""

    @property
    def uses_gold(self) -> bool:
        return self.gold == "use"

    def training_sizes(self, examples: int, trusted: int) -> tuple[int, ...]:
        return self._rounds(True).sizes(examples, trusted if self.uses_gold else 0)

    def estimate_from(self, data: EstimationData) -> Reliability:
        """Posterior, and its largest entry as score; 0 without a readable vote."""
        assert data.predictor is not None
        trusted = data.trusted.answers if self.uses_gold and data.trusted is not None else None
        posterior = refine(data.votes, self._rounds(data.has_classes), data.predictor, trusted)
        score = np.where(data.votes.answered, posterior.max(axis=1), 0.0)
        return Reliability(data.votes.ids, posterior, score)

    def _rounds(self, by_class: bool) -> Rounds:
        return Rounds(
            self.rounds, self.folds, self.keep, self.votes_share, self.seed, by_class=by_class
        )
