"""A logistic head on frozen features: the student that trains in seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.models.encode import encode
from steelyard.models.features import read_features
from steelyard.models.finetune import StatesCache
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.logistic import Features, Head, HeadTargets, fit_heads
from steelyard.models.score import Precision
from steelyard.models.train import TrainingLog
from steelyard.objectives import Objective, refuse_tokens
from steelyard.student.protocol import BaseStudent, TrainingData, TrainingOptions
from steelyard.types import Floats, Question
from steelyard.types.predictions import ModelAnswers
from steelyard.types.task_kinds import AnswerForm


class Probe(Pretrained, BaseStudent):
    """L2-regularised logistic regression on the mean of the last hidden states.

    Soft targets count as one row for each class, with the target as a factor of the weight.
    Examples of weight 0 have no part in it, and a class that no kept example has gets probability
    0.

    Source: Burns et al. 2023, arXiv:2312.09390, section 5 (linear probing); the objective is
        scikit-learn's, solved for all arms and seeds together.
    """

    version: ClassVar[int] = 3
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "numpy")
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    answers_what: ClassVar[str] = "A probe answers classification"
    instead: ClassVar[str] = "`student: {kind: chooser, ...}`"
    fits_together: ClassVar[bool] = True

    kind: Literal["probe"] = "probe"
    regularization: float = Field(1.0, gt=0)
    """C of scikit-learn: larger trusts the labels more."""
    max_tokens: int = Field(128, ge=8)
    """Longer inputs are cut, and counted."""
    precision: Precision = "bf16"
    """Of the frozen model's matrix products."""

    def fit(self, data: TrainingData, options: TrainingOptions) -> "TrainedProbe":
        """Fit the head; it is solved, so that seed, steps and checkpoints are not used."""
        return self.fit_all([data], options.states)[0]

    def fit_all(
        self, data: Sequence[TrainingData], states: StatesCache | None
    ) -> list["TrainedProbe"]:
        """A probe for each training set, in one solve, on texts that are read once."""
        row: dict[Question, int] = {}
        targets = [
            HeadTargets(
                np.array([row.setdefault(q, len(row)) for q in part.questions], dtype=np.int64),
                part.targets,
                part.weights,
            )
            for part in data
        ]
        return self.fit_together(tuple(row), targets, states)

    def frozen_settings(self) -> Mapping[str, Any]:
        """Layers and precision of the features."""
        return {
            **self.model_dump(include={"kind", "layers", "precision", "max_tokens"}),
            "train_layers": None,
        }

    def check_saved(self) -> None:
        raise ConfigError("A probe is not saved as a model; train a `classifier` student.")

    def fit_together(
        self,
        questions: Sequence[Question],
        lessons: Sequence[HeadTargets],
        states: StatesCache | None = None,
    ) -> list["TrainedProbe"]:
        """A probe for each lesson, in one solve: arms, seeds, bootstraps of the same questions.

        Args:
            questions: N of them, each once.
            lessons: what each probe is taught of which of them.
            states: keeps features.

        Raises:
            InputError: a lesson of one class.
            TrainingError: a head was not found.
        """
        heads = fit_heads(self.features(questions, states), lessons, self.regularization)
        cut = self._cut(questions, lessons)
        return [TrainedProbe(self, head, n) for head, n in zip(heads, cut, strict=True)]

    def features(self, questions: Sequence[Question], states: StatesCache | None) -> Features:
        """What the heads see of each question, (N, d)."""
        frozen = self.pretrained
        return read_features(frozen, questions, self.max_tokens, states, self.precision)

    def check_objective(self, objective: Objective) -> None:
        """Refuse any objective but the cross-entropy.

        Raises:
            ConfigError: naming it.
        """
        refuse_tokens(objective, self.kind)
        raise ConfigError(
            f"`objective: {objective.kind}` is for a classifier or chooser; a probe student "
            "minimises the cross-entropy."
        )

    def _cut(self, questions: Sequence[Question], lessons: Sequence[HeadTargets]) -> list[int]:
        """How many texts of each lesson are cut; lessons of a seed have the same."""
        tokenizer = load_tokenizer(self)
        found: dict[bytes, int] = {}
        for lesson in lessons:
            key = lesson.rows.tobytes()
            if key not in found:
                asked = [questions[int(i)] for i in lesson.rows]
                found[key] = encode(tokenizer, asked, self.max_tokens).truncated
        return [found[lesson.rows.tobytes()] for lesson in lessons]


@dataclass(frozen=True, eq=False)
class TrainedProbe:
    """A probe that answers questions."""

    settings: Probe
    head: Head
    truncated: int = 0
    log: TrainingLog = field(default_factory=TrainingLog)

    def probabilities(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> Floats:
        """Probabilities of each question's classes, (N, K)."""
        return self.head.probabilities(self.settings.features(questions, states))

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """Probabilities of each question's classes, (N, K)."""
        return ModelAnswers(self.probabilities(questions, states))

    def training_record(self) -> dict[str, Any]:
        """How many training texts were truncated."""
        return {"truncated": self.truncated}

    def save(self, folder: Path) -> None:
        raise ConfigError(
            "A probe is a by-product of a study and is not saved; train a `classifier` student."
        )
