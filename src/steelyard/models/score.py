"""Logits and features of a model."""

from contextlib import AbstractContextManager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from steelyard.models.batches import Batcher
from steelyard.types import Floats

Precision = Literal["bf16", "fp32"]
INFERENCE_TOKENS = 8192  # padded tokens in one forward pass


def autocast(device: str, precision: str) -> AbstractContextManager[Any]:
    """Matrix products in bfloat16 where the precision says so; weights stay float32."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")


def logits_of(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Logits of each sequence, (S, outputs).

    Decoders are read at the last token of the attention mask. Transformers looks for the last
    token that is not the padding id, which is another place where the padding token is a real
    one, such as the end of the text.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not hasattr(inner, "score"):
        return torch.as_tensor(model(**inputs).logits)
    hidden = inner.base_model(**inputs).last_hidden_state
    last = inputs["attention_mask"].sum(dim=1) - 1
    return torch.as_tensor(inner.score(hidden[torch.arange(len(last)), last]))


def answer_logits(model: Any, reader: Batcher, answers: int, precision: str) -> Tensor:
    """Logits of each example's answers in float64, (N, answers)."""
    table = torch.empty((len(reader.encoded), answers), dtype=torch.float64)
    model.eval()
    with torch.inference_mode():
        for rows in reader.parts(np.arange(len(reader.encoded)), INFERENCE_TOKENS):
            with autocast(reader.device.split(":")[0], precision):
                logits = logits_of(model, reader.inputs(rows))
            table[rows] = reader.answers(logits, rows, answers).double().cpu()
    return table


def features(model: Any, reader: Batcher, precision: str) -> Floats:
    """Mean of the last hidden states over each sequence's tokens, (S, d)."""
    encoded = reader.encoded
    out: list[tuple[Any, Floats]] = []
    model.eval()
    with torch.inference_mode():
        for rows in reader.parts(np.arange(len(encoded)), INFERENCE_TOKENS):
            inputs = reader.inputs(rows)
            with autocast(reader.device.split(":")[0], precision):
                hidden = model.base_model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"].unsqueeze(-1)
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
            sequences = np.concatenate(
                [np.arange(encoded.rows[i], encoded.rows[i + 1]) for i in rows]
            )
            out.append((sequences, mean.double().cpu().numpy()))
    order = np.argsort(np.concatenate([sequences for sequences, _ in out]))
    stacked: Floats = np.concatenate([mean for _, mean in out])[order]
    return stacked
