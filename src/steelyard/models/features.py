"""Features of questions: the mean hidden states of a pretrained model."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from steelyard.models.encode import encode
from steelyard.models.load import Pretrained, load_classifier, load_tokenizer
from steelyard.types import Ints, Question


def read_features(
    pretrained: Pretrained,
    questions: Sequence[Question],
    max_tokens: int,
    states: Callable[[Sequence[Question], Any], Any] | None = None,
    precision: str = "bf16",
) -> npt.NDArray[np.float32]:
    """Mean of the last hidden states of each question, scaled to length sqrt(d), (N, d).

    Neighbours by scaled features are of one class more often than without scaling.
    `states` is a cache of features (`finetune.StatesCache`).
    """
    from steelyard.models.frozen import mean_states
    from steelyard.models.train import device

    @functools.cache
    def frozen() -> tuple[Any, Any]:
        return load_tokenizer(pretrained), load_classifier(pretrained, 2, 0.0, 0).to(device())

    def compute(part: Sequence[Question]) -> tuple[Any, Ints]:
        tokenizer, model = frozen()
        encoded = encode(tokenizer, part, max_tokens)
        return mean_states(model, encoded, precision), encoded.rows

    rows = np.asarray(compute(questions)[0] if states is None else states(questions, compute))
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    scaled = rows / np.maximum(length, 1e-12) * np.sqrt(rows.shape[1])
    return np.asarray(scaled, dtype=np.float32)
