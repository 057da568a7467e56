"""Losses of single tokens without float32 logits of them all."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

ENTRIES = 2**24  # logits of a chunk, 64 MiB in float32: few enough launches on a GPU
CPU_ENTRIES = 2**21  # 8 MiB stay in a processor's cache: twice as fast as all at once


def in_chunks(loss: Callable[..., Tensor], logits: Tensor, *others: Tensor) -> Tensor:
    """loss(logits, *others), (T,), of a loss whose entries depend on their own token only.

    Chunks have at most ENTRIES logits (CPU_ENTRIES on a processor; one token at least). What a loss
    computes of a chunk (its float32 copy, a softmax, a target over the vocabulary) is dropped and
    computed again when gradients are taken, so that it exists for one chunk at a time; a single
    chunk is not computed twice.
    `logits` are (T, V), `others` (T,) each.
    """
    entries = CPU_ENTRIES if logits.device.type == "cpu" else ENTRIES
    size = max(1, entries // logits.shape[1])
    if len(logits) <= size:
        return loss(logits, *others)
    parts = [tensor.split(size) for tensor in (logits, *others)]  # type: ignore[no-untyped-call]
    chunks = zip(*parts, strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([loss(*chunk) for chunk in chunks])
    return torch.cat(
        [
            checkpoint(loss, *chunk, use_reentrant=False, preserve_rng_state=False)
            for chunk in chunks
        ]
    )
