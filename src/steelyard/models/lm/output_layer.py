"""The output layer of a language model in float32, whatever the precision of the body."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

ENTRIES = 2**24  # weights that are widened at once: 64 MiB


@contextmanager
def float32_output(model: Any) -> Iterator[None]:
    """Inside, logits are float32 products of the hidden states and the output layer's weights.

    A logit of bfloat16 has 8 significant bits: logits near 20 are multiples of 1/8, so different
    answers tie. What the model does with its logits (a scale, a soft cap) is done in float32 too.
    Weights in half precision are widened a part of the vocabulary at a time: a copy of them all
    would be twice as large as the layer itself.
    """
    layer = model.get_output_embeddings()
    if not isinstance(layer, torch.nn.Linear) or not layer.weight.is_floating_point():
        yield
        return

    def exact(hidden: Tensor) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return _float32_product(layer, hidden.float())

    attributes = vars(layer)
    # the hooks of a `device_map` move states and weights, and call what they keep
    name = "_old_forward" if hasattr(layer, "_hf_hook") else "forward"
    before = attributes.get(name)
    attributes[name] = exact
    try:
        yield
    finally:
        del attributes[name]
        if before is not None:
            attributes[name] = before


def _float32_product(layer: torch.nn.Linear, hidden: Tensor) -> Tensor:
    """hidden W' + b in float32, (..., V)."""
    weight, bias = layer.weight, None if layer.bias is None else layer.bias.float()
    linear = torch.nn.functional.linear
    if weight.dtype == torch.float32:
        return linear(hidden, weight, bias)
    logits = hidden.new_empty(*hidden.shape[:-1], len(weight))
    size = max(1, ENTRIES // weight.shape[1])
    for start in range(0, len(weight), size):
        part = slice(start, start + size)
        logits[..., part] = linear(
            hidden, weight[part].float(), None if bias is None else bias[part]
        )
    return logits
