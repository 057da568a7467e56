"""In which precision matrix products are computed."""

import functools
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

Precision = Literal["bf16", "fp32"]


def autocast(model: Any, precision: str) -> AbstractContextManager[Any]:
    """Matrix products in bfloat16 if `precision` is bf16 and the processor can; see `computed_in`.

    Float32 weights stay float32. A model with weights in half precision needs bf16 products.
    """
    weight = next(iter(model.parameters()))
    used = precision if weight.dtype != torch.float32 else computed_in(precision, weight.device)
    return torch.autocast(weight.device.type, dtype=torch.bfloat16, enabled=used == "bf16")


def computed_in(precision: str, device: torch.device | str) -> str:
    """The precision that products are computed in where weights are float32.

    A CPU without instructions for bfloat16 emulates it, some seventy times as slow as float32, so
    float32 takes its place there.
    """
    slow = torch.device(device).type == "cpu" and not cpu_has_bf16()
    return "fp32" if slow else precision


@functools.cache
def cpu_has_bf16() -> bool:
    """Whether this CPU has instructions for matrix products in bfloat16."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
