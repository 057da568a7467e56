"""Logits and features of a model."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from steelyard.models.batches import Batcher, sequences_of
from steelyard.models.precision import autocast
from steelyard.objectives.chunks import LazyLogits
from steelyard.types import Floats, Ints

INFERENCE_TOKENS = 8192  # padded tokens in one forward pass


def without_adapters(model: Any) -> Any:
    """The model below its adapters, if it has any."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def logits_of(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Logits of each sequence, (S, outputs).

    Decoders are read at the last token of the attention mask. Transformers looks for the last
    token that is not the padding id, which is another position where the padding token is a real
    token, such as the end of the text.
    """
    inner = without_adapters(model)
    if not hasattr(inner, "score"):
        return torch.as_tensor(model(**inputs).logits)
    hidden = inner.base_model(**inputs).last_hidden_state
    last = inputs["attention_mask"].sum(dim=1) - 1
    return torch.as_tensor(inner.score(hidden[torch.arange(len(last)), last]))


def forward(model: Any, batcher: Batcher, rows: Ints, width: int, precision: str) -> Tensor:
    """A forward pass: the logits of the given examples that have targets, see `Batcher.select`.

    With `Batcher.head` they are made of the last hidden states where they are needed.
    """
    with autocast(model, precision):
        if batcher.head is None:
            return batcher.select(logits_of(model, batcher.inputs(rows)), rows, width)
        inner = without_adapters(model).base_model
        states = inner(**batcher.inputs(rows)).last_hidden_state
    return LazyLogits(batcher.select(states, rows, width), batcher.head)  # type: ignore[return-value]


def class_logits(model: Any, batcher: Batcher, num_classes: int, precision: str) -> Tensor:
    """Logits of each example's classes or options in float64, (N, num_classes)."""
    table = torch.empty((len(batcher.encoded), num_classes), dtype=torch.float64)
    model.eval()
    with torch.inference_mode():
        for rows in batcher.parts(np.arange(len(batcher.encoded)), INFERENCE_TOKENS):
            table[rows] = forward(model, batcher, rows, num_classes, precision).double().cpu()
    return table


def features(model: Any, batcher: Batcher, precision: str) -> Floats:
    """Mean of the last hidden states over each sequence's tokens, (S, d)."""
    encoded = batcher.encoded
    means: list[Floats] = []
    sequences: list[Ints] = []
    model.eval()
    with torch.inference_mode():
        for rows in batcher.parts(np.arange(len(encoded)), INFERENCE_TOKENS):
            means.append(mean_hidden(model, batcher.inputs(rows), precision).double().cpu().numpy())
            sequences.append(sequences_of(encoded, rows))
    return np.asarray(np.concatenate(means)[np.argsort(np.concatenate(sequences))])


def mean_hidden(model: Any, inputs: dict[str, Tensor], precision: str) -> Tensor:
    """Mean of the last hidden states over each sequence's tokens, (S, d) in float32."""
    with autocast(model, precision):
        hidden = model.base_model(**inputs).last_hidden_state.float()
    mask = inputs["attention_mask"].unsqueeze(-1)
    return torch.as_tensor((hidden * mask).sum(dim=1) / mask.sum(dim=1))
