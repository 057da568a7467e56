"""Fine-tuned models as weak supervisors: fewer layers, few labelled rows, several seeds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.models.finetune import Finetuned, Finetuning, finetune
from steelyard.models.load import identity
from steelyard.models.train import VERSION as TRAINING
from steelyard.supervision.protocol import BaseSupervisor, VoteRequest
from steelyard.supervision.tfidf import bootstrap
from steelyard.types import Floats, Question, Split, Votes, one_hot
from steelyard.types.build_votes import votes_from_probabilities
from steelyard.types.task_kinds import AnswerForm


class _Finetuned(Finetuning, BaseSupervisor):
    """What classifier and chooser supervisors share."""

    version: ClassVar[int] = 2 + TRAINING  # 2: smaller passes on a CPU
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    voters: int = Field(5, ge=1)
    """Each has a seed and a bootstrap sample of weak_train of its own."""

    def _train(self, labelled: Split, answers: int, seed: int, voter: int) -> Finetuned:
        rng = np.random.default_rng([seed, voter])
        rows = np.arange(len(labelled.truth))
        if self.voters > 1:
            rows = bootstrap(labelled.truth, rng)
        settings = Finetuning(**self.model_dump(include=set(Finetuning.model_fields)))
        return finetune(
            settings,
            [labelled.questions[i] for i in rows],
            one_hot(labelled.truth[rows], answers),
            np.ones(len(rows)),
            seed=int(rng.integers(2**31)),
        )

    @property
    def needs_labels(self) -> bool:
        return True

    @property
    def num_voters(self) -> int:
        return self.voters

    def vote(self, request: VoteRequest) -> list[Votes]:
        """Train on the labelled rows and answer each list of questions, once for each query."""
        labelled, asked = request.labelled, request.questions
        classes, seed = request.classes, request.seed
        queries = self._queries()
        labelled = Split(self._shown(labelled.questions, seed, 0), labelled.truth)
        answers: list[list[Floats]] = [[] for _ in asked]
        for v in range(self.voters):
            model = self._train(labelled, len(classes), seed, v)
            for part, questions in zip(answers, asked, strict=True):
                for q in range(len(queries)):
                    part.append(model.probabilities(self._shown(questions, seed, q)))
        names = [self._name(v) for v in range(self.voters)]
        return [
            votes_from_probabilities(questions, classes, names, part, queries)
            for questions, part in zip(asked, answers, strict=True)
        ]

    def inputs(self) -> dict[str, str]:
        """What the votes depend on besides settings and questions: the weights."""
        return {"model": identity(self.pretrained)}

    def _queries(self) -> tuple[str, ...]:
        return ("unchanged",)

    def _shown(self, questions: Sequence[Question], seed: int, query: int) -> tuple[Question, ...]:
        return tuple(questions)

    def _name(self, voter: int) -> str:
        layers = "" if self.layers is None else f"-{self.layers}l"
        return f"{self.model.rstrip('/').split('/')[-1]}{layers}/{voter}"


class ClassifierVoters(_Finetuned):
    """V classifiers, each of a seed and a bootstrap sample of its own."""

    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    answers_what: ClassVar[str] = "A classifier supervisor answers classification"
    instead: ClassVar[str] = "`{kind: chooser, ...}`"

    kind: Literal["classifier"] = "classifier"


class ChooserVoters(_Finetuned):
    """V choosers: a score for each question-option pair, a softmax over the options.

    With `orders: n` each voter sees all options listed behind the question, and is asked n times
    with the list in n random orders; votes are about option numbers, so that the order shown and
    the options' text play no part in counting them. Of a preference this is a weak reward model:
    the softmax over two scores is the model of Bradley and Terry.
    """

    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("options", "pair")
    answers_what: ClassVar[str] = "A chooser supervisor answers multiple choice and preferences"
    instead: ClassVar[str] = "`{kind: classifier, ...}`"

    kind: Literal["chooser"] = "chooser"
    orders: int = Field(0, ge=0)
    """How many option orders each voter is asked; 0 shows it one option at a time."""

    def _queries(self) -> tuple[str, ...]:
        return tuple(f"order-{o}" for o in range(self.orders)) or super()._queries()

    def _shown(self, questions: Sequence[Question], seed: int, query: int) -> tuple[Question, ...]:
        return listed(questions, seed, query) if self.orders else tuple(questions)


def listed(questions: Sequence[Question], seed: int, order: int) -> tuple[Question, ...]:
    """Questions with their options listed in a random order behind the text.

    The order of a question depends on the seed, the order's number and the question's place in
    the list; `choices` stay as they are, so that answers need no mapping back.
    """
    shown = []
    for i, question in enumerate(questions):
        rng = np.random.default_rng([seed, order, i])
        options = [question.choices[c] for c in rng.permutation(len(question.choices))]
        shown.append(replace(question, text=f"{question.text} ({' / '.join(options)})"))
    return tuple(shown)
