"""A classifier taught a few examples with any objective, and a run that is killed."""

from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from requests_for_tests import fit as train
from steelyard.models.checkpoints import Checkpoints
from steelyard.models.finetune import Finetuned
from steelyard.objectives import ObjectiveSettings
from steelyard.student import Classifier
from steelyard.types import Floats, Question, SupervisorTargets, one_hot

TEXTS = ["good film", "the plot is awful", "a fine film", "bad", "very good", "not fine", "was bad"]
QUESTIONS = [Question(str(i), TEXTS[i % len(TEXTS)]) for i in range(8)]
LABELS = 0.1 + 0.8 * one_hot(np.array([0, 1, 0, 1, 0, 1, 1, 0]), 2)
WEIGHTS = np.array([1, 0, 2, 1, 0.5, 1, 1, 1.5])
OTHER = one_hot(np.array([0, 1, 1, 1, 0, 0, 1, 1]), 2)


def objective(kind: str, **settings: Any) -> Any:
    return TypeAdapter(ObjectiveSettings).validate_python({"kind": kind, **settings})


def apart(*labels: Floats, weights: tuple[float, ...] = ()) -> SupervisorTargets:
    names = tuple(f"v{m}" for m in range(len(labels)))
    even = weights or (1 / len(labels),) * len(labels)
    return SupervisorTargets(names, np.stack(labels, axis=1), np.array(even))


def fit(model: str, kind: Any, labels: SupervisorTargets | None = None, **more: Any) -> Finetuned:
    plain = {"model": model, "precision": "fp32", "learning_rate": 1e-2, "epochs": 3}
    settings = {**plain, "batch_size": 4, "warmup": 0.0, **more.pop("settings", {})}
    student = Classifier(**settings)
    parts = {"objective": kind, "per_supervisor": labels}
    return train(student, QUESTIONS, LABELS, WEIGHTS, seed=1, **parts, **more)


def weights_of(fitted: Finetuned) -> torch.Tensor:
    return torch.cat([p.detach().ravel() for p in fitted.model.parameters()])


class Stopping(Checkpoints):
    """Keeps checkpoints up to step 3, as if the run had been killed there."""

    def save(self, step: int, *rest: Any) -> None:
        if step <= 3:
            super().save(step, *rest)
