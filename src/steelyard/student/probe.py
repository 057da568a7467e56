"""A logistic head on frozen features: the student that trains in seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.models.encode import encode
from steelyard.models.features import read_features
from steelyard.models.finetune import StatesCache
from steelyard.models.lm.save_lm import SavedWeights
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.models.logistic import Features, Head, HeadTargets, fit_heads
from steelyard.models.precision import Precision
from steelyard.models.regularization import choose_strengths
from steelyard.student.protocol import (
    BaseStudent,
    BaseTrainedStudent,
    TrainingData,
    TrainingOptions,
)
from steelyard.types import Ints, Question
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

    version: ClassVar[int] = 4
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "numpy")
    answer_forms: ClassVar[tuple[AnswerForm, ...]] = ("classes",)
    answers_what: ClassVar[str] = "A probe answers classification"
    instead: ClassVar[str] = "`student: {kind: chooser, ...}`"
    minimises: ClassVar[str] = "a probe student minimises the cross-entropy"
    fits_together: ClassVar[bool] = True

    kind: Literal["probe"] = "probe"
    regularization: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """C of scikit-learn: larger trusts the labels more. `auto` takes the one of seven values with
    the least cross-validated loss on the labels that the head is trained on."""
    max_tokens: int = Field(128, ge=8)
    """Longer inputs are truncated, and counted."""
    precision: Precision = "bf16"
    """Precision of the frozen model's matrix products."""

    def fit(self, data: TrainingData, options: TrainingOptions) -> "TrainedProbe":
        """Fit the head; seed, steps and checkpoints are not used."""
        return self.fit_all([data], options.states)[0]

    def fit_all(
        self, data: Sequence[TrainingData], states: StatesCache | None
    ) -> list["TrainedProbe"]:
        """A probe for each training set, solved together on texts that are read once.

        Raises:
            InputError: a training set has a single class.
            TrainingError: a head did not converge.
        """
        row: dict[Question, int] = {}
        rows = [
            np.array([row.setdefault(q, len(row)) for q in part.questions], dtype=np.int64)
            for part in data
        ]
        questions = tuple(row)
        training_sets = [
            HeadTargets(index, part.targets, part.weights)
            for index, part in zip(rows, data, strict=True)
        ]
        features = self.features(questions, states)
        given = self.regularization
        if given == "auto":
            strengths = choose_strengths(features, training_sets)
        else:
            strengths = [given] * len(data)
        heads = fit_heads(features, training_sets, strengths)
        parts = zip(heads, strengths, self._truncated(questions, rows), strict=True)
        return [TrainedProbe(self, *of_head) for of_head in parts]

    def frozen_settings(self) -> Mapping[str, Any]:
        """Layers and precision of the features."""
        return {
            **self.model_dump(include={"kind", "layers", "precision", "max_tokens"}),
            "train_layers": None,
        }

    def check_saved(self) -> None:
        raise ConfigError("A probe is not saved as a model; train a `classifier` student.")

    def features(self, questions: Sequence[Question], states: StatesCache | None) -> Features:
        """Inputs of the heads, (N, d)."""
        return read_features(self.pretrained, questions, self.max_tokens, states, self.precision)

    def _truncated(self, questions: Sequence[Question], rows: Sequence[Ints]) -> list[int]:
        """How many texts of each training set are truncated; equal rows are counted once."""
        tokenizer = load_tokenizer(self)
        counts: dict[bytes, int] = {}
        for index in rows:
            if index.tobytes() not in counts:
                texts = [questions[int(i)] for i in index]
                counts[index.tobytes()] = encode(tokenizer, texts, self.max_tokens).truncated
        return [counts[index.tobytes()] for index in rows]


@dataclass(frozen=True, eq=False)
class TrainedProbe(BaseTrainedStudent):
    """A probe that answers questions."""

    settings: Probe
    head: Head
    regularization: float
    truncated: int = 0

    def predict(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> ModelAnswers:
        """Probabilities of each question's classes, (N, K)."""
        return ModelAnswers(self.head.probabilities(self.settings.features(questions, states)))

    def training_record(self) -> dict[str, Any]:
        """The C that was used, and how many training texts were truncated."""
        return {"regularization": self.regularization, "truncated": self.truncated}

    def export(self, folder: Path, classes: Sequence[str], weights: SavedWeights) -> None:
        raise ConfigError(
            "A probe is a by-product of a study and is not saved; train a `classifier` student."
        )
