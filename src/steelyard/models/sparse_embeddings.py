"""Train the embedding rows of tokens that occur; the others can only decay.

The gradient of a token that no text has is zero at every step, and so are its moments: what AdamW
does to its row is to shrink it. The table of a small model is half of its weights, most texts
have a fraction of the vocabulary, and the dense gradient would be filled with zeros, measured and
stepped every time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steelyard.models.encode import Encoded


@contextmanager
def only_rows_in_use(
    model: Any, encoded: Encoded, learning_rates: list[float], weight_decay: float
) -> Iterator[None]:
    """Inside, the model's table of token embeddings has the rows of `encoded` alone.

    Token ids stay as they are: a hook translates them where they are looked up. On leaving, the
    rows go back to their places and all others have decayed as AdamW would have decayed them. A
    model whose table is frozen, or shared with its output layer, is left alone.

    Args:
        model: a classifier, chooser or causal model.
        encoded: every text that the model will read inside.
        learning_rates: of each step, filled while inside.
        weight_decay: of AdamW.
    """
    table = _own_table(model)
    if table is None:
        yield
        return
    whole, pad = table.weight, table.padding_idx
    ids = torch.from_numpy(np.union1d(encoded.tokens, [encoded.pad, 0 if pad is None else pad]))
    ids = ids.to(whole.device)
    # -1 makes the lookup of a token that was not announced an error.
    row = torch.full((len(whole),), -1, device=whole.device)
    row[ids] = torch.arange(len(ids), device=whole.device)

    def translate(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (row[args[0]], *args[1:])

    table.weight = nn.Parameter(whole.detach()[ids])
    table.padding_idx = None if pad is None else int(row[pad])
    hook = table.register_forward_pre_hook(translate)
    try:
        yield
    finally:
        hook.remove()
        with torch.no_grad():
            whole.mul_(float(np.prod(1 - np.array(learning_rates) * weight_decay)))
            whole[ids] = table.weight
        table.weight, table.padding_idx = whole, pad


def _own_table(model: Any) -> nn.Embedding | None:
    """The embeddings of tokens, if they are trained and nothing else uses them."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):  # its embeddings are cached states
        return None
    if not isinstance(table, nn.Embedding) or not table.weight.requires_grad:
        return None
    every = model.named_parameters(remove_duplicate=False)
    return table if sum(p is table.weight for _, p in every) == 1 else None
