"""The precision of matrix products follows the processor."""

import pytest
import torch

from steelyard.models import precision
from steelyard.models.precision import autocast, computed_in


@pytest.mark.parametrize(
    ("has_bf16", "asked", "weights", "product"),
    [
        (True, "bf16", torch.float32, torch.bfloat16),
        (True, "fp32", torch.float32, torch.float32),
        (False, "bf16", torch.float32, torch.float32),  # emulated products would take minutes
        (False, "bf16", torch.bfloat16, torch.bfloat16),  # float32 states need the cast
    ],
)
def test_a_processor_without_bf16_computes_in_float32(
    has_bf16: bool,
    asked: str,
    weights: torch.dtype,
    product: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: has_bf16)
    layer = torch.nn.Linear(4, 3).to(weights)
    with autocast(layer, asked):
        assert layer(torch.ones(2, 4)).dtype == product


def test_only_a_cpu_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    assert computed_in("bf16", "cpu") == "fp32"
    assert computed_in("bf16", "cuda") == "bf16"
    assert computed_in("fp32", "cuda") == "fp32"
