"""Pairs of answers in few words, and a preference student that learns them."""

from typing import Any

import numpy as np
import torch

from requests_for_tests import fit as train
from steelyard.student.preference import PreferenceStudent, TrainedPreferenceStudent
from steelyard.types import Floats, Question, one_hot

GOOD = ["good", "very good", "fine", "not bad"]
BAD = ["bad", "awful", "very bad", "not good"]


def pairs(count: int) -> list[Question]:
    """The good answer stands first in even questions."""
    made = []
    for i in range(count):
        both = (GOOD[i % 4], BAD[(i // 2) % 4])
        prompt = f"the {'film' if i % 3 else 'plot'} is"
        made.append(Question(f"p{i}", prompt, both if i % 2 == 0 else both[::-1]))
    return made


def right(count: int) -> Floats:
    return one_hot(np.arange(count) % 2, 2)


def student(model: str, **changes: Any) -> PreferenceStudent:
    plain = {"precision": "fp32", "learning_rate": 1e-2, "epochs": 2, "batch_size": 4}
    return PreferenceStudent(model=model, **{**plain, "lora": None, "warmup": 0.0, **changes})


SMALL = 1e-3
"""A beta with which the rounding of gradients that cancel stays below Adam's epsilon."""


def fit(
    settings: PreferenceStudent,
    questions: list[Question],
    targets: Floats,
    weights: Any,
    **more: Any,
) -> TrainedPreferenceStudent:
    return train(settings, questions, targets, np.asarray(weights, dtype=float), seed=1, **more)


def assert_same(
    one: TrainedPreferenceStudent, other: TrainedPreferenceStudent, atol: float = 0.0
) -> None:
    others = dict(other.model.named_parameters())
    for name, value in one.model.named_parameters():
        torch.testing.assert_close(value, others[name], atol=atol, rtol=0, msg=name)


def differ(one: TrainedPreferenceStudent, other: TrainedPreferenceStudent) -> float:
    others = dict(other.model.named_parameters())
    each = one.model.named_parameters()
    return max(float((p - others[name]).detach().abs().max()) for name, p in each)
