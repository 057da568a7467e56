"""Language models tuned on few preferences, whose implicit rewards compare other answers."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.models.lm.preference_training import PreferenceTuning, bradley_terry, train_dpo
from steelyard.models.load import Pretrained
from steelyard.models.train import VERSION as TRAINING
from steelyard.supervision.protocol import VoteRequest
from steelyard.supervision.trained_voters import (
    TrainedVoters,
    Voter,
    abstaining,
    model_name,
    training_rows,
)
from steelyard.types import Floats, Question, Votes, one_hot
from steelyard.types.task_kinds import AnswerForm


class PreferenceVoters(Pretrained, PreferenceTuning, TrainedVoters):
    """Language models after preference optimization on weak_train: weak implicit rewards.

    A vote is P(first is better) = s(r1 - r2) with r = beta ln(pi(y | x) / ref(y | x)), where pi is
    the voter after training and ref the model before it. Pairs that do not fit into the context
    abstain ("too long").

    Source: Tao and Li 2025, "Your Weak LLM is Secretly a Strong Teacher for Alignment",
        arXiv:2409.08813 (WS-DPO: one weak model, its order of the two answers as a hard label;
        several voters and their probabilities are ours).
    """

    version: ClassVar[int] = 2 + TRAINING  # 2: ties are drawn at random
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft")
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("pair",)
    answers_what: ClassVar[str] = "A preference supervisor compares two answers"
    instead: ClassVar[str] = "`task: preference`, or another supervisor"

    kind: Literal["preference"] = "preference"
    model: str = Field()
    """A Hub name or a folder of a causal language model; untrained, it is also the reference."""
    voters: int = Field(1, ge=1)
    """Number of voters; each has its own random seed and, if there are several, its own bootstrap
    sample of weak_train."""

    def voter_names(self) -> list[str]:
        return [f"{model_name(self)}-dpo/{v}" for v in range(self.voters)]

    def _train(self, request: VoteRequest, voter: int) -> Voter:
        labelled = request.labelled
        rows, rng = training_rows(labelled, self.voters, request.seed, voter)
        trained = train_dpo(
            self.pretrained,
            PreferenceTuning(**self.model_dump(include=set(PreferenceTuning.model_fields))),
            [labelled.questions[i] for i in rows],
            one_hot(labelled.truth[rows], 2),
            np.ones(len(rows)),
            seed=int(rng.integers(2**31)),
        )
        return lambda asked: [bradley_terry(trained.rewards(asked))]

    def _table(
        self,
        questions: Sequence[Question],
        classes: tuple[str, ...],
        names: Sequence[str],
        probs: Sequence[Floats],
        queries: Sequence[str],
    ) -> Votes:
        even = [np.nan_to_num(part, nan=0.5) for part in probs]
        votes = super()._table(questions, classes, names, even, queries)
        return abstaining(votes, [~np.isnan(part[:, 0]) for part in probs])
