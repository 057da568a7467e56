"""The last block of a classifier with a first-token head, computed for that token only.

The head of BERT-like models reads the last hidden state of the first token. Of the other tokens
only keys and values are needed in the last block, two of its twelve d^2 weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

FIRST_TOKEN_CLASSIFIERS = tuple(
    f"{family}ForSequenceClassification" for family in ("Bert", "Roberta", "XLMRoberta", "Electra")
)
"""Classifiers whose heads read the first token, and whose blocks are laid out like BERT's."""


@contextmanager
def first_token_only(model: Any, block: Any) -> Iterator[None]:
    """Inside, the model's last block gives (B, 1, d), if the model's head needs no more."""
    if type(model).__name__ not in FIRST_TOKEN_CLASSIFIERS or model.config.is_decoder:
        yield
        return

    def forward(hidden: Tensor, mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
        return _first_state(block, hidden, mask)

    block.forward = forward
    try:
        yield
    finally:
        del block.forward


def _first_state(block: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
    attention = block.attention.self
    first = hidden[:, :1]
    query, key, value = (
        part(source).unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)
        for part, source in (
            (attention.query, first),
            (attention.key, hidden),
            (attention.value, hidden),
        )
    )
    scores = query @ key.transpose(-1, -2) * attention.attention_head_size**-0.5
    if mask is not None:
        mask = mask[:, :, :1]  # what the first token sees
        scores = (
            scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        )
    shares = attention.dropout(torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype))
    context = (shares @ value).transpose(1, 2).flatten(-2)
    return torch.as_tensor(block.feed_forward_chunk(block.attention.output(context, first)))
