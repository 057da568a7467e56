"""How a language model is run when nothing is trained: without gradients, each weight cast once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from steelyard.models.score import Precision, autocast


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
        with torch.no_grad(), autocast(model.device.type, precision):
            yield
    finally:
        for weights in frozen:
            weights.requires_grad_(False)
