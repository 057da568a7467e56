"""Losses of single tokens without float32 logits of them all."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

ENTRIES = 2**24  # logits of a chunk, 64 MiB in float32: few enough launches on a GPU
CPU_ENTRIES = 2**21  # 8 MiB stay in a processor's cache: twice as fast as all at once


@dataclass(frozen=True, eq=False)
class OutputLayer:
    """A language model's last layer, from hidden states to logits over the vocabulary."""

    logits: Callable[[Tensor], Tensor]  # (T, d) -> (T, V)
    vocabulary: int  # V


@dataclass(frozen=True, eq=False)
class LazyLogits:
    """Logits of T tokens as their hidden states: `in_chunks` makes those of one chunk at a time."""

    states: Tensor  # (T, d)
    head: OutputLayer

    def __len__(self) -> int:
        return len(self.states)

    @property
    def device(self) -> torch.device:
        return self.states.device


def in_chunks(loss: Callable[..., Tensor], logits: Tensor | LazyLogits, *others: Tensor) -> Tensor:
    """loss(logits, *others), (T,), of a loss whose entries depend on their own token only.

    Chunks have at most ENTRIES logits (CPU_ENTRIES on a processor; one token at least). What a loss
    computes of a chunk (its float32 copy, a softmax, a target over the vocabulary) is dropped and
    computed again when gradients are taken, so that it exists for one chunk at a time; a single
    chunk is not computed twice.
    `logits` are (T, V), `others` (T,) each. Logits that are made of hidden states exist for one
    chunk at a time as well; these chunks have ENTRIES everywhere, because the weights are read anew
    for each.
    """
    if isinstance(logits, LazyLogits):
        head, of_logits = logits.head, loss
        size = max(1, ENTRIES // head.vocabulary)
        return _by_size(
            lambda states, *rest: of_logits(head.logits(states), *rest),
            size,
            logits.states,
            *others,
        )
    entries = CPU_ENTRIES if logits.device.type == "cpu" else ENTRIES
    return _by_size(loss, max(1, entries // logits.shape[1]), logits, *others)


def _by_size(loss: Callable[..., Tensor], size: int, *tensors: Tensor) -> Tensor:
    """The loss of chunks of `size` tokens."""
    if len(tensors[0]) <= size:
        return loss(*tensors)
    parts = [tensor.split(size) for tensor in tensors]  # type: ignore[no-untyped-call]
    chunks = zip(*parts, strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([loss(*chunk) for chunk in chunks])
    return torch.cat(
        [
            checkpoint(loss, *chunk, use_reentrant=False, preserve_rng_state=False)
            for chunk in chunks
        ]
    )
