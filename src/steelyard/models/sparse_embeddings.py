"""Train the embedding rows of tokens that occur; the others only decay.

The gradient and the moments of a token that no text has are zero at every step: AdamW only shrinks
its row. The table is half of the weights of a small model, and most texts use a fraction of the
vocabulary, so that a dense gradient would cost much time.
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
    """Inside, the model's table of token embeddings has only the rows of tokens in `encoded`.

    Token ids do not change: a hook translates them where they are looked up. On leaving, the rows
    are put back and all others have decayed as AdamW would have decayed them, by the
    `learning_rates` of all steps, which are filled inside, and `weight_decay`. A model whose table
    is frozen, or shared with its output layer, does not change.
    """
    table = _trained_table(model)
    if table is None:
        yield
        return
    whole, pad = table.weight, table.padding_idx
    ids = torch.from_numpy(np.union1d(encoded.tokens, [encoded.pad, 0 if pad is None else pad]))
    ids = ids.to(whole.device)
    # -1 makes the lookup of a token that is not in `encoded` an error
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


def _trained_table(model: Any) -> nn.Embedding | None:
    """The embeddings of tokens, if they are trained and nothing else uses them."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):  # its embeddings are cached states
        return None
    if not isinstance(table, nn.Embedding) or not table.weight.requires_grad:
        return None
    parameters = model.named_parameters(remove_duplicate=False)
    return table if sum(p is table.weight for _, p in parameters) == 1 else None
