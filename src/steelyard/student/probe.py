"""A logistic head on frozen features: the student that trains in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from steelyard.errors import ConfigError
from steelyard.models.batches import Reader
from steelyard.models.encode import encode
from steelyard.models.finetune import StatesCache
from steelyard.models.load import Pretrained, load_classifier, load_tokenizer
from steelyard.models.score import Precision, features
from steelyard.models.train import TrainingLog, device
from steelyard.types import Floats, Question


class Probe(Pretrained):
    """L2-regularised logistic regression on the mean of the last hidden states.

    Soft targets count as one row for each class, with the target as a factor of the weight.

    Source: Burns et al. 2023, arXiv:2312.09390, section 5 (linear probing); the solver is
        scikit-learn's.
    """

    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "scikit-learn")

    kind: Literal["probe"] = "probe"
    regularization: float = Field(1.0, gt=0)
    """C of scikit-learn: larger trusts the labels more."""
    max_tokens: int = Field(128, ge=8)
    """Longer inputs are cut, and counted."""
    precision: Precision = "bf16"
    """Of the frozen model's matrix products."""

    def check_task(self, kind: str) -> None:
        if kind != "classification":
            raise ConfigError(
                f"A probe answers classification, and the task is {kind}; "
                "use `student: {kind: chooser, ...}`."
            )

    def fit(
        self,
        questions: Sequence[Question],
        targets: Floats,
        weights: Floats,
        *,
        seed: int,
        steps: int | None = None,
        checkpoints: Any = None,
        states: StatesCache | None = None,
    ) -> "FittedProbe":
        """Fit the head; `seed`, `steps` and `checkpoints` have no part in it."""
        from sklearn.linear_model import LogisticRegression

        frozen = _Features(self)
        rows, cut = frozen.read(questions, states)
        i, k = np.nonzero(targets * weights[:, None])
        head = LogisticRegression(C=self.regularization, max_iter=1000)
        head.fit(rows[i], k, sample_weight=(targets * weights[:, None])[i, k])
        return FittedProbe(self, frozen, head, targets.shape[1], cut)

    def planned_steps(self, kept: int) -> int:
        """A probe is solved, not stepped."""
        return 0


class _Features:
    """The frozen model of a probe."""

    def __init__(self, settings: Probe) -> None:
        self.settings = settings
        self.tokenizer = load_tokenizer(settings)
        self.model = load_classifier(settings, 2, 0.0, 0).to(device())

    def read(self, questions: Sequence[Question], states: StatesCache | None) -> tuple[Floats, int]:
        """Standardised features (N, d) and how many texts were cut."""
        encoded = encode(self.tokenizer, questions, self.settings.max_tokens)
        place = str(next(self.model.parameters()).device)

        def compute() -> Any:
            return features(self.model, Reader(encoded, None, place), self.settings.precision)

        rows = np.asarray(compute() if states is None else states(encoded, compute))
        length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
        scaled: Floats = rows / np.maximum(length, 1e-12) * np.sqrt(rows.shape[1])
        return scaled, encoded.cut


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """A probe that answers questions."""

    settings: Probe
    frozen: _Features
    head: Any
    answers: int
    cut: int = 0
    log: TrainingLog = field(default_factory=TrainingLog)

    def probabilities(
        self, questions: Sequence[Question], states: StatesCache | None = None
    ) -> Floats:
        """Probabilities of each question's classes, (N, K)."""
        rows, _ = self.frozen.read(questions, states)
        probs = np.zeros((len(rows), self.answers))
        probs[:, self.head.classes_] = self.head.predict_proba(rows)
        return probs

    def save(self, folder: Path) -> None:
        raise ConfigError(
            "A probe is a by-product of a study and is not saved; train a `classifier` student."
        )
