"""Running a language model without training it."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from steelyard.models.precision import Precision, autocast
from steelyard.models.score import without_adapters


@contextmanager
def inference(model: Any, precision: Precision) -> Iterator[None]:
    """No gradients, and matrix products in `precision`; each weight is cast once, not every pass.

    Autocast keeps its casts of weights that require gradients, and of no others; in inference mode
    it keeps none. Casting again for each token of a reply costs as much as the products.
    """
    model.eval()
    frozen = [w for w in model.parameters() if w.is_floating_point() and not w.requires_grad]
    for weights in frozen:
        weights.requires_grad_(True)
    try:
        with torch.no_grad(), autocast(model, precision):
            yield
    finally:
        for weights in frozen:
            weights.requires_grad_(False)


def read_on(
    model: Any, ids: Tensor, attention: Tensor, cache: Any, keep: int | None = None
) -> tuple[Tensor, Any]:
    """Logits behind tokens that follow those of the cache, and the cache with them in it.

    Args:
        model: a causal language model.
        ids: (B, t).
        attention: (B, cached + t), 0 for padding.
        cache: of an earlier call; None for the first tokens.
        keep: logits of so many last positions are enough; None: all are needed.
    """
    parameters = inspect.signature(without_adapters(model).forward).parameters
    options: dict[str, Any] = {}
    if keep and "logits_to_keep" in parameters:
        options["logits_to_keep"] = keep
    if "position_ids" in parameters:
        positions = (attention.cumsum(dim=1) - 1).clamp(min=0)
        options["position_ids"] = positions[:, -ids.shape[1] :]
    name = "past_key_values" if "past_key_values" in parameters else "cache_params"
    options[name] = cache
    if name == "past_key_values" or cache is None:  # a recurrent state no longer has the padding
        options["attention_mask"] = attention
    out = model(input_ids=ids, use_cache=True, **options)
    return out.logits, out[name]
