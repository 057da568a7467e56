"""The output layer of a language model in float32, whatever the precision of the body."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def float32_output(model: Any) -> Iterator[None]:
    """Inside, logits are float32 products of the hidden states and the output layer's weights.

    A logit of bfloat16 has 8 significant bits: logits near 20 are multiples of 1/8, so different
    answers tie. What the model does with its logits (a scale, a soft cap) is done in float32 too.
    """
    layer = model.get_output_embeddings()
    if not isinstance(layer, torch.nn.Linear):
        yield
        return
    weight, bias = layer.weight.float(), None if layer.bias is None else layer.bias.float()

    def exact(hidden: Tensor) -> Tensor:
        with torch.autocast(hidden.device.type, enabled=False):
            return torch.nn.functional.linear(hidden.float(), weight, bias)

    attributes = vars(layer)
    before = attributes.get("forward")
    attributes["forward"] = exact
    try:
        yield
    finally:
        del attributes["forward"]
        if before is not None:
            attributes["forward"] = before
