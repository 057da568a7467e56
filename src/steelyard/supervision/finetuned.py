"""Fine-tuned models as weak supervisors: fewer layers, few labelled rows, several seeds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.models.finetune import Finetuning, finetune
from steelyard.models.train import VERSION as TRAINING
from steelyard.supervision.protocol import VoteRequest
from steelyard.supervision.trained_voters import TrainedVoters, Voter, model_name, training_rows
from steelyard.types import Question, one_hot
from steelyard.types.task_kinds import AnswerForm


class _Finetuned(Finetuning, TrainedVoters):
    """What classifier and chooser supervisors share."""

    version: ClassVar[int] = 3 + TRAINING  # 3: ties are drawn at random
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    def voter_names(self) -> list[str]:
        return [f"{model_name(self)}/{v}" for v in range(self.voters)]

    def _train(self, request: VoteRequest, voter: int) -> Voter:
        labelled, seed = request.labelled, request.seed
        rows, rng = training_rows(labelled, self.voters, seed, voter)
        shown = self._shown(labelled.questions, seed, 0)
        model = finetune(
            Finetuning(**self.model_dump(include=set(Finetuning.model_fields))),
            [shown[i] for i in rows],
            one_hot(labelled.truth[rows], len(request.classes)),
            np.ones(len(rows)),
            seed=int(rng.integers(2**31)),
            checkpoints=request.checkpoints(voter),
        )
        queries = range(len(self._queries()))
        return lambda asked: [model.probabilities(self._shown(asked, seed, q)) for q in queries]

    def _shown(self, questions: Sequence[Question], seed: int, query: int) -> tuple[Question, ...]:
        return tuple(questions)


class ClassifierVoters(_Finetuned):
    """Fine-tuned classifiers, each with its own random seed and bootstrap sample."""

    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    answers_what: ClassVar[str] = "A classifier supervisor answers classification"
    instead: ClassVar[str] = "`{kind: chooser, ...}`"

    kind: Literal["classifier"] = "classifier"


class ChooserVoters(_Finetuned):
    """Fine-tuned choosers: a score for each question-option pair, a softmax over the options.

    With `orders: n` each voter sees all options listed after the question, and is asked n times
    with the list in n random orders; votes are about option numbers, so that the order shown and
    the options' text play no part in counting them. For a preference this is a weak reward model:
    the softmax over two scores is the model of Bradley and Terry.
    """

    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("options", "pair")
    answers_what: ClassVar[str] = "A chooser supervisor answers multiple choice and preferences"
    instead: ClassVar[str] = "`{kind: classifier, ...}`"

    kind: Literal["chooser"] = "chooser"
    orders: int = Field(0, ge=0)
    """Number of option orders in which each voter is asked; 0 shows it one option at a time."""

    def _queries(self) -> tuple[str, ...]:
        return tuple(f"order-{o}" for o in range(self.orders)) or super()._queries()

    def _shown(self, questions: Sequence[Question], seed: int, query: int) -> tuple[Question, ...]:
        return with_listed_options(questions, seed, query) if self.orders else tuple(questions)


def with_listed_options(
    questions: Sequence[Question], seed: int, order: int
) -> tuple[Question, ...]:
    """Questions with their options listed in a random order after the text.

    The order depends on the seed, the order's number and the question's position in the list;
    `choices` are unchanged, so that answers need no mapping back.
    """
    shown = []
    for i, question in enumerate(questions):
        rng = np.random.default_rng([seed, order, i])
        options = [question.choices[c] for c in rng.permutation(len(question.choices))]
        shown.append(replace(question, text=f"{question.text} ({' / '.join(options)})"))
    return tuple(shown)
