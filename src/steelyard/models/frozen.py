"""Frozen lower layers, run once per text.

A model of which only the top layers are trained reads the hidden states below them. Those do not
change, so they are computed once and shared by every arm, seed and epoch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from steelyard.errors import ConfigError
from steelyard.models.batches import Batcher, micro_batches, ranges, sequences_of
from steelyard.models.encode import Encoded
from steelyard.models.first_token import first_token_only
from steelyard.models.precision import autocast
from steelyard.models.score import logits_of, mean_hidden
from steelyard.types import Ints

FRAME = 8  # frozen layers read a text padded to a multiple of so many tokens
FROZEN_TOKENS = 2048  # padded tokens of one forward pass: few, for the processor's caches


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

        def batches() -> Iterator[tuple[Ints, Tensor]]:
            for rows, inputs in framed(self.model, encoded):
                states = self._run(inputs, precision)[inputs["attention_mask"].bool()]
                sequences = sequences_of(encoded, rows)
                yield ranges(encoded.starts[sequences], encoded.lengths[sequences]), states

        owner, name = _blocks(self.model)
        hook = getattr(owner, name)[self.frozen].register_forward_pre_hook(_stop, with_kwargs=True)
        try:
            return _gathered(len(encoded.tokens), batches())
        finally:
            hook.remove()

    def _run(self, inputs: dict[str, Tensor], precision: str) -> Tensor:
        with torch.inference_mode(), autocast(self.model, precision):
            try:
                self.model.base_model(**inputs)
            except _Reached as reached:
                return reached.states.float()
        raise ConfigError(f"{type(self.model).__name__} never reached its block {self.frozen}.")

    @contextmanager
    def top(self) -> Iterator[None]:
        """Inside, the model reads hidden states (`inputs_embeds`) and runs only its top blocks."""
        owner, name = _blocks(self.model)
        blocks = getattr(owner, name)
        inner, embeddings = _embeddings(self.model)
        count = self.model.config.num_hidden_layers
        try:
            setattr(owner, name, nn.ModuleList(list(blocks)[self.frozen :]))
            if embeddings is not None:
                inner.embeddings = _GivenStates()
            self.model.config.num_hidden_layers = count - self.frozen
            with first_token_only(self.model, blocks[-1]):
                yield
        finally:
            setattr(owner, name, blocks)
            if embeddings is not None:
                inner.embeddings = embeddings
            self.model.config.num_hidden_layers = count

    def fits(self, encoded: Encoded) -> bool:
        """Whether the top on cached states gives the whole model's logits, on the first examples.

        Models that add positions outside their embeddings (GPT-2, OPT) do not; they are trained
        without the cache.
        """
        sample = _first(encoded, 4)
        rows = np.arange(len(sample))
        device = str(next(self.model.parameters()).device)
        with torch.inference_mode():
            whole = logits_of(self.model, Batcher(sample, device=device).inputs(rows))
            states = self.states(sample, "fp32")
            with self.top():
                try:
                    top = logits_of(self.model, Batcher(sample, states, device).inputs(rows))
                except (TypeError, ValueError, IndexError, RuntimeError):
                    return False
        return bool(torch.allclose(whole, top, atol=1e-4, rtol=1e-4))


def mean_states(model: Any, encoded: Encoded, precision: str) -> npt.NDArray[np.float32]:
    """Mean of the last hidden states over each sequence's tokens, (S, d).

    Bit-equal for a text whatever other texts are read with it.
    """

    def batches() -> Iterator[tuple[Ints, Tensor]]:
        for rows, inputs in framed(model, encoded):
            with torch.inference_mode():
                yield sequences_of(encoded, rows), mean_hidden(model, inputs, precision)

    return _gathered(int(encoded.rows[-1]), batches())


def _gathered(size: int, parts: Iterator[tuple[Ints, Tensor]]) -> npt.NDArray[np.float32]:
    """An array of `size` rows from parts of it, each with the numbers of its rows."""
    out: npt.NDArray[np.float32] | None = None
    for rows, values in parts:
        if out is None:
            out = np.empty((size, values.shape[1]), dtype=np.float32)
        out[rows] = values.cpu().numpy()
    assert out is not None
    return out


def framed(model: Any, encoded: Encoded) -> Iterator[tuple[Ints, dict[str, Tensor]]]:
    """Batches of examples (B,) and their inputs for a frozen model.

    A text is padded to the next multiple of FRAME tokens, whatever other texts are in the batch:
    its hidden states are then bit-equal in all batches, and can be stored and shared.
    """
    batcher = Batcher(encoded, device=str(next(model.parameters()).device))
    lengths = np.maximum.reduceat(encoded.lengths, encoded.rows[:-1])
    limit = getattr(model.config, "max_position_embeddings", None) or lengths.max()
    frames = np.maximum(lengths, np.minimum(-(-lengths // FRAME) * FRAME, limit))
    costs = frames * np.diff(encoded.rows)
    model.eval()
    for frame in np.unique(frames):
        members = np.flatnonzero(frames == frame)
        for rows in micro_batches(members, costs, FROZEN_TOKENS):
            inputs, fill = batcher.inputs(rows), {"input_ids": encoded.pad}
            width = int(frame) - inputs["attention_mask"].shape[1]
            yield (
                rows,
                {
                    name: nn.functional.pad(tensor, (0, width), value=fill.get(name, 0))
                    for name, tensor in inputs.items()
                },
            )


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of several arrays as one array (T, d): memory maps stay on disk until read."""

    arrays: Sequence[npt.NDArray[Any]]
    array: Ints  # (T,), which array
    row: Ints  # (T,), which row of it

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.row), self.arrays[0].shape[1]

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, wanted: Any) -> npt.NDArray[Any]:
        array, row = self.array[wanted], self.row[wanted]
        out = np.empty((len(row), self.shape[1]), dtype=self.arrays[0].dtype)
        for number in np.unique(array):
            inside = array == number
            out[inside] = self.arrays[number][row[inside]]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or self.arrays[0].dtype, copy=False)


def _stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    raise _Reached(args[0] if args else kwargs["hidden_states"])


def _first(encoded: Encoded, count: int) -> Encoded:
    rows = encoded.rows[: count + 1]
    starts = encoded.starts[: rows[-1] + 1]
    end = starts[-1]
    types = None if encoded.types is None else encoded.types[:end]
    return Encoded(encoded.tokens[:end], types, starts, rows, encoded.pad, 0)


def _blocks(model: Any) -> tuple[Any, str]:
    """The module that has the list of transformer blocks, and its attribute's name."""
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
