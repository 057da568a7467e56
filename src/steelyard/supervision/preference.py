"""Language models tuned on few preferences, whose implicit rewards compare further answers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.models.lm.dpo import PreferenceTuning, bradley_terry, train_dpo
from steelyard.models.load import Pretrained, identity
from steelyard.models.train import VERSION as TRAINING
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest
from steelyard.supervision.tfidf import bootstrap
from steelyard.types import ABSTAIN, Floats, Question, Votes, one_hot
from steelyard.types.build_votes import votes_from_probabilities
from steelyard.types.task_kinds import AnswerForm


class PreferenceVoters(Pretrained, PreferenceTuning, BaseSupervisor):
    """V language models after preference optimization on weak_train: weak implicit rewards.

    A vote is P(first is better) = s(r1 - r2) with r = beta ln(pi(y | x) / ref(y | x)), where pi is
    the voter after training and ref the model before it. Pairs that do not fit into the context
    abstain ("too long").

    Source: Tao and Li 2025, "Your Weak LLM is Secretly a Strong Teacher for Alignment",
        arXiv:2409.08813 (WS-DPO: one weak model, its order of the two answers as a hard label;
        several voters and their probabilities are ours).
    """

    version: ClassVar[int] = 1 + TRAINING
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft")
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("pair",)
    answers_what: ClassVar[str] = "A preference supervisor compares two answers"
    instead: ClassVar[str] = "`task: preference`, or another supervisor"

    kind: Literal["preference"] = "preference"
    model: str = Field()
    """A Hub name or a folder of a causal language model; as it is, it is also the reference."""
    voters: int = Field(1, ge=1)
    """Each has a seed and, if there are several, a bootstrap sample of weak_train of its own."""

    @property
    def needs_labels(self) -> bool:
        return True

    @property
    def num_voters(self) -> int:
        return self.voters

    def inputs(self) -> dict[str, str]:
        """The weights."""
        return {"model": identity(self.pretrained)}

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Train each voter on the labelled rows and compare the answers of each question."""
        labelled, asked = request.labelled, request.questions
        classes, seed = request.classes, request.seed
        rewards: list[list[Floats]] = [[] for _ in asked]
        for v in range(self.voters):
            rng = np.random.default_rng([seed, v])
            rows = np.arange(len(labelled.truth))
            if self.voters > 1:
                rows = bootstrap(labelled.truth, rng)
            voter = train_dpo(
                self.pretrained,
                PreferenceTuning(**self.model_dump(include=set(PreferenceTuning.model_fields))),
                [labelled.questions[i] for i in rows],
                one_hot(labelled.truth[rows], 2),
                np.ones(len(rows)),
                seed=int(rng.integers(2**31)),
            )
            for part, questions in zip(rewards, asked, strict=True):
                part.append(voter.rewards(questions))
        name = self.model.rstrip("/").split("/")[-1]
        layers = "" if self.layers is None else f"-{self.layers}l"
        names = [f"{name}{layers}-dpo/{v}" for v in range(self.voters)]
        return [
            _votes(questions, classes, names, part)
            for questions, part in zip(asked, rewards, strict=True)
        ]


def _votes(
    questions: Sequence[Question],
    classes: tuple[str, ...],
    names: Sequence[str],
    rewards: Sequence[Floats],
) -> Votes:
    """Votes by V arrays of rewards, (N, 2); NaN abstains."""
    lost = np.stack([np.isnan(part[:, 0]) for part in rewards], axis=1).reshape(-1)
    probs = [bradley_terry(np.nan_to_num(part)) for part in rewards]
    votes = votes_from_probabilities(questions, classes, names, probs)
    if not lost.any():
        return votes
    return replace(
        votes,
        answer=np.where(lost, ABSTAIN, votes.answer),
        reasons=tuple("too long" if one else "" for one in lost),
    )
