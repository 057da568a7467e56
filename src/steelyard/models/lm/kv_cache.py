"""A key-value cache that grows by one token at a time without copying the others."""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer


class PreallocatedCache(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """A layer of a cache with memory for the tokens to come; attention reads a view of it.

    Growing by concatenation would copy every earlier token for each new one.
    """

    def __init__(self, layer: DynamicLayer, rows: Tensor, size: int) -> None:
        """The given rows (repeatable) of a filled layer, and memory for `size` more tokens."""
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        filled = (layer.keys[rows], layer.values[rows])
        self._whole = [torch.nn.functional.pad(part, (0, 0, 0, size)) for part in filled]
        self._show(layer.keys.shape[-2])

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        start = self.keys.shape[-2]
        end = start + key_states.shape[-2]
        for whole, new in zip(self._whole, (key_states, value_states), strict=True):
            whole[:, :, start:end] = new
        self._show(end)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep the given rows."""
        self._whole = [whole[beam_idx] for whole in self._whole]
        self._show(self.keys.shape[-2])

    def _show(self, size: int) -> None:
        self.keys, self.values = (whole[:, :, :size] for whole in self._whole)


def with_preallocated_cache(cache: Any, rows: Tensor, size: int) -> Any:
    """A prompt cache for replies: reply r continues prompt `rows[r]` by `size` tokens at most.

    Layers of other kinds (sliding windows, recurrent states) are small and stay what they are.
    """
    for i, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[i] = PreallocatedCache(layer, rows, size)
        else:
            layer.reorder_cache(rows)
    return cache
