"""Frozen lower layers, run once per text.

A model whose top layers alone are trained reads the hidden states below them. Those do not change,
so they are computed once and shared by every arm and epoch.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from steelyard.errors import ConfigError
from steelyard.models.batches import Reader, micro_batches
from steelyard.models.encode import Encoded
from steelyard.models.score import autocast, logits_of

log = logging.getLogger(__name__)
INFERENCE_TOKENS = 8192


class _Reached(Exception):
    """The forward pass has reached the first trained block; carries its input."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


class _GivenStates(nn.Module):
    """Stands in for the embeddings: the states are given."""

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> Tensor:
        return inputs_embeds


@dataclass(frozen=True, eq=False)
class Trunk:
    """A classifier split at block `frozen`: below it nothing is trained."""

    model: Any
    frozen: int

    @classmethod
    def freeze(cls, model: Any, train_layers: int) -> "Trunk":
        """Freeze the embeddings and all but the top `train_layers` blocks."""
        owner, name = _blocks(model)
        blocks = getattr(owner, name)
        if train_layers > len(blocks):
            raise ConfigError(
                f"`train_layers: {train_layers}`: the model has {len(blocks)} blocks."
            )
        frozen = len(blocks) - train_layers
        kept = {id(p) for block in blocks[frozen:] for p in block.parameters()}
        kept |= {id(p) for p in _above(model, blocks)}
        for parameter in model.parameters():
            parameter.requires_grad_(id(parameter) in kept)
        return cls(model, frozen)

    def states(self, encoded: Encoded, precision: str) -> npt.NDArray[np.float32]:
        """Hidden states below the first trained block, (T, d), in the order of the tokens."""
        owner, name = _blocks(self.model)
        device = str(next(self.model.parameters()).device)
        reader = Reader(encoded, device=device)
        costs = encoded.costs
        out: npt.NDArray[np.float32] | None = None
        hook = getattr(owner, name)[self.frozen].register_forward_pre_hook(_stop, with_kwargs=True)
        self.model.eval()
        try:
            for rows in micro_batches(np.arange(len(encoded)), costs, INFERENCE_TOKENS):
                inputs = reader.inputs(rows)
                states = self._run(inputs, precision)
                out = _fill(out, states, inputs["attention_mask"], encoded, rows)
        finally:
            hook.remove()
        assert out is not None
        return out

    def _run(self, inputs: dict[str, Tensor], precision: str) -> Tensor:
        with torch.inference_mode(), autocast(inputs["attention_mask"].device.type, precision):
            try:
                self.model.base_model(**inputs)
            except _Reached as reached:
                return reached.states.float()
        raise ConfigError(f"{type(self.model).__name__} never reached its block {self.frozen}.")

    @contextmanager
    def top(self) -> Iterator[None]:
        """Inside, the model reads hidden states (`inputs_embeds`) and runs its top blocks alone."""
        owner, name = _blocks(self.model)
        blocks = getattr(owner, name)
        place, embeddings = _embeddings(self.model)
        count = self.model.config.num_hidden_layers
        try:
            setattr(owner, name, nn.ModuleList(list(blocks)[self.frozen :]))
            if embeddings is not None:
                place.embeddings = _GivenStates()
            self.model.config.num_hidden_layers = count - self.frozen
            yield
        finally:
            setattr(owner, name, blocks)
            if embeddings is not None:
                place.embeddings = embeddings
            self.model.config.num_hidden_layers = count

    def fits(self, encoded: Encoded) -> bool:
        """Whether the top on cached states gives the whole model's logits, on the first examples.

        Models that add positions outside their embeddings (GPT-2, OPT) do not; they are trained
        without the cache.
        """
        few = _first(encoded, 4)
        rows = np.arange(len(few))
        device = str(next(self.model.parameters()).device)
        with torch.inference_mode():
            whole = logits_of(self.model, Reader(few, device=device).inputs(rows))
            states = self.states(few, "fp32")
            with self.top():
                try:
                    top = logits_of(self.model, Reader(few, states, device).inputs(rows))
                except (TypeError, ValueError, IndexError, RuntimeError):
                    return False
        return bool(torch.allclose(whole, top, atol=1e-4, rtol=1e-4))


def _stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    raise _Reached(args[0] if args else kwargs["hidden_states"])


def _fill(
    out: npt.NDArray[np.float32] | None, states: Tensor, mask: Tensor, encoded: Encoded, rows: Any
) -> npt.NDArray[np.float32]:
    if out is None:
        out = np.empty((len(encoded.tokens), states.shape[-1]), dtype=np.float32)
    values = states[mask.bool()].cpu().numpy()
    places = [
        np.arange(encoded.starts[encoded.rows[i]], encoded.starts[encoded.rows[i + 1]])
        for i in rows
    ]
    out[np.concatenate(places)] = values
    return out


def _first(encoded: Encoded, count: int) -> Encoded:
    rows = encoded.rows[: count + 1]
    starts = encoded.starts[: rows[-1] + 1]
    end = starts[-1]
    types = None if encoded.types is None else encoded.types[:end]
    return Encoded(encoded.tokens[:end], types, starts, rows, encoded.pad, 0)


def _blocks(model: Any) -> tuple[Any, str]:
    """Where the list of transformer blocks hangs: (module, attribute name)."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == model.config.num_hidden_layers:
                return module, name
    raise ConfigError(f"The transformer blocks of {type(model).__name__} were not found.")


def _above(model: Any, blocks: nn.ModuleList) -> list[nn.Parameter]:
    """Parameters used after the blocks: pooler, last norm, head; not the embeddings."""
    below = {id(p) for block in blocks for p in block.parameters()}
    _, embeddings = _embeddings(model)
    inputs = embeddings if embeddings is not None else model.get_input_embeddings()
    below |= {id(p) for p in inputs.parameters()}
    positions = ("wpe", "embed_positions", "project_in")
    return [
        p
        for name, p in model.named_parameters()
        if id(p) not in below and not any(part in name for part in positions)
    ]


def _embeddings(model: Any) -> tuple[Any, Any]:
    """The module that holds `embeddings` (encoders), and them; (model, None) for decoders."""
    for module in model.modules():
        inner = module._modules.get("embeddings")
        if inner is not None:
            return module, inner
    return model, None
