"""Short texts of two classes, and how a tiny classifier is trained on them."""

from typing import Any

import numpy as np

from steelyard.models.finetune import Finetuning
from steelyard.types import Floats, Question, one_hot

TEXTS = ["good film", "the plot is awful", "a fine film", "bad", "very good", "not fine", "was bad"]


def questions(count: int) -> list[Question]:
    return [Question(str(i), TEXTS[i % len(TEXTS)]) for i in range(count)]


def targets(count: int) -> Floats:
    return one_hot(np.array([0, 1, 0, 1, 0, 1, 1] * 9)[:count], 2)


def settings(model: str, **changes: Any) -> Finetuning:
    plain = {"model": model, "precision": "fp32", "learning_rate": 1e-2, "epochs": 2}
    return Finetuning(**{**plain, "batch_size": 4, "warmup": 0.0, **changes})
