"""Co-supervision: each example has the label of the voter that agrees best with the student."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import InputError
from steelyard.reliability.cross_fitting import held_out_folds, over_options
from steelyard.reliability.protocol import BaseEstimator, Choice, EstimationData
from steelyard.reliability.refinement import SMALLEST, TIED
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.types.task_kinds import AnswerForm


class CoSupervised(BaseEstimator):
    """Alternate: the student learns the assigned labels, and examples choose their voters anew.

    With d_iv the mean distribution of the votes of voter v on example i, each of `rounds` rounds

        trains the student on the labels q, without each fold, and asks it the fold: p
        assigns i to the voter v with the least  -sum_a d_iv(a) ln p_i(a),  and sets q_i = d_iv

    A round lowers the cross-entropy of the labels in each of its steps, as EM with hard
    assignments does. The start is a single supervisor: q the mean vote. Voters that agree equally
    well have their mean: two with the same label are one. The posterior is q, and

        score = sum_a p(a) q(a)     0, rejected: the student's answer is not that of q

    so that `selection: above` drops what no voter can explain to the student. No prediction comes
    from a student that was trained on the example.

    Example: p = (.7, .2, .1), and votes for answers 1 and 2: the voter of answer 1 is chosen, and
    the label is rejected, because the student says 0. With p = (.2, .5, .3) it is kept, score .5.

    A fold without two classes, or whose training collapses, is not predicted: p is even, and q the
    mean vote. A voter, or a class, that nobody chooses is not trained on in that round.

    Raises (in `estimate_from`): InputError for a single voter.

    Source: Liu and Alahi 2024, "Co-Supervised Learning: Improving Weak-to-Strong Generalization
        with Hierarchical Mixture of Experts", arXiv:2402.15505 (the abstract alone was read: two
        levels, from one supervisor to all; folds are ours, and "local-global consistency" is
        replaced by the student's own answer).
    """

    version: ClassVar[int] = 1
    needs_questions: ClassVar[bool] = True
    needs_student: ClassVar[bool] = True
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes", "options", "pair")
    scope: ClassVar[str] = "`co_supervised` compares given answers with the student's"
    instead: ClassVar[str] = "an estimator of votes alone"

    kind: Literal["co_supervised"] = "co_supervised"
    rounds: int = Field(2, ge=1)
    """How often the student is trained and examples are assigned."""
    folds: int = Field(5, ge=2)
    """Parts into which the examples are divided."""
    choice: Choice = "informed"
    """`random` draws the voter of each example, and as many examples to keep: the control."""
    seed: int = Field(0, ge=0)
    """Random seed of the folds and of the control."""

    @property
    def at_random(self) -> "CoSupervised | None":
        return self.model_copy(update={"choice": "random"}) if self.choice == "informed" else None

    def training_sizes(self, examples: int, trusted: int) -> tuple[int, ...]:
        part = int(np.ceil(examples * (self.folds - 1) / self.folds - 1e-9))
        return (part,) * (self.folds * self.rounds)

    def estimate_from(self, data: EstimationData) -> Reliability:
        """Posterior and score from votes and what trains the student."""
        votes = data.votes
        if len(votes.voters) < 2:
            raise InputError(
                "`co_supervised` assigns each example to one of several voters, and there is only "
                f"{', '.join(votes.voters) or 'none'}; add supervisors or voters."
            )
        voters = _VotersOfExamples.of(votes)
        labels, prediction = votes.means(), votes.uniform()
        for number in range(self.rounds):
            prediction = self._held_out(data, labels, self.seed + number)
            labels = voters.of_least(voters.cross_entropy(prediction), votes)
        leading = labels >= labels.max(axis=1, keepdims=True) - TIED
        of_label = np.where(leading, prediction, -1.0).max(axis=1)
        accepted = votes.answered & (of_label >= prediction.max(axis=1) - TIED)
        score = np.clip(np.where(accepted, (prediction * labels).sum(axis=1), 0.0), 0, 1)
        if self.choice == "random":
            rng = np.random.default_rng(self.seed)
            labels = voters.of_least(rng.random(len(voters.example)), votes)
            drawn = rng.permutation(np.flatnonzero(votes.answered))[: int(accepted.sum())]
            score = np.bincount(drawn, minlength=len(votes.ids)).astype(float)
        return Reliability(votes.ids, labels, score)

    def _held_out(self, data: EstimationData, labels: Floats, seed: int) -> Floats:
        """What students that were not trained on an example say of it, (N, K); even where none."""
        assert data.predictor is not None
        votes, least = data.votes, 1 if data.has_classes else 0
        answered = np.flatnonzero(votes.answered)
        folds = held_out_folds(answered, labels[answered], self.folds, seed)
        usable = [fold for fold in folds if (fold.targets.sum(axis=0) > 0).sum() > least]
        prediction = votes.uniform()
        for fold, answer in zip(usable, data.predictor(usable, float(len(answered))), strict=True):
            if answer is not None:
                rows = fold.asked[0]
                prediction[rows] = over_options(answer[0], votes.possible[rows])
        return prediction


@dataclass(frozen=True, eq=False)
class _VotersOfExamples:
    """P pairs of an example and a voter with a readable vote on it."""

    example: Ints  # (P,)
    distribution: Floats  # (P, K), mean of the voter's votes on the example

    @classmethod
    def of(cls, votes: Votes) -> "_VotersOfExamples":
        read = np.flatnonzero(votes.answer != ABSTAIN)
        cell = votes.example[read] * len(votes.voters) + votes.voter[read]
        pairs, number, count = np.unique(cell, return_inverse=True, return_counts=True)
        total = np.zeros((len(pairs), votes.num_classes))
        np.add.at(total, number, votes.distributions[read])
        return cls(pairs // len(votes.voters), total / count[:, None])

    def cross_entropy(self, prediction: Floats) -> Floats:
        """Between each pair's distribution and the prediction (N, K) of its example, (P,)."""
        logs = np.log(np.maximum(prediction, SMALLEST))
        cost: Floats = -(self.distribution * logs[self.example]).sum(axis=1)
        return cost

    def of_least(self, cost: Floats, votes: Votes) -> Floats:
        """Mean distribution of each example's voters of the least cost, (N, K); even if none."""
        size = len(votes.ids)
        least = np.full(size, np.inf)
        np.minimum.at(least, self.example, cost)
        chosen = cost <= least[self.example] + TIED
        total = np.zeros((size, votes.num_classes))
        np.add.at(total, self.example[chosen], self.distribution[chosen])
        count = np.bincount(self.example[chosen], minlength=size)[:, None]
        mean: Floats = np.divide(total, count, out=votes.uniform(), where=count > 0)
        return mean
