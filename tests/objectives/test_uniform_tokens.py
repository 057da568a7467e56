"""Objectives with a flat target: what their settings pass on, and their defaults."""

import pytest
import torch
from pydantic import ValidationError

from steelyard.objectives import Dir, EdlConf, EdlConfer, SoftConfer
from steelyard.objectives.uniform_tokens import dir_loss, edl_confer, soft_confer


def drawn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(6, 9, generator=generator)
    return logits, torch.arange(6), torch.rand(6, generator=generator)


def test_settings_reach_the_losses() -> None:
    """At a quarter of the training: c is half of its maximum, the divergence has a quarter."""
    three = drawn()
    evidential = {"kl_weight": 0.2, "evidence": "relu", "clamp": 0.01}
    passed = {**evidential, "kl_weight": 0.05}
    rising = {"maximum": 1.2, "warmup": 0.5}
    pairs = [
        (SoftConfer(**rising), soft_confer(*three, 0.6)),
        (EdlConf(**evidential), edl_confer(*three, 0.0, **passed)),
        (EdlConfer(**rising, **evidential), edl_confer(*three, 0.6, **passed)),
        (
            Dir(density_weight=0.5, clamp=3.0),
            dir_loss(*three, density_weight=0.5, clamp=3.0),
        ),
    ]
    for settings, expected in pairs:
        torch.testing.assert_close(settings.token_losses(*three, 0.25), expected)


def test_defaults_are_those_of_the_source() -> None:
    """The ramp rises in place of jumping; the jump is `legacy_ramp`."""
    assert [SoftConfer().coefficient(p) for p in (0, 0.375, 0.75, 1)] == [0, 0.5, 1, 1]
    assert [EdlConfer().coefficient(p) for p in (0, 0.25, 0.5, 1)] == [0, 0.75, 1.5, 1.5]
    assert EdlConfer(legacy_ramp=True).coefficient(0.5) == 0.75
    assert EdlConf().options(0.5) == {"kl_weight": 5e-5, "evidence": "exp", "clamp": 20.0}
    assert (Dir().density_weight, Dir().clamp) == (0.01, 1e8)


def test_a_flat_target_has_no_gradient_to_hold() -> None:
    with pytest.raises(ValidationError, match="detached"):
        EdlConf(detached=False)  # type: ignore[call-arg]
