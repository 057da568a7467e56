"""Which examples go together, and how they become tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steelyard.models.encode import Encoded
from steelyard.objectives.chunks import OutputLayer
from steelyard.types import Floats, Ints

WINDOW = 16  # optimizer steps whose examples are sorted by length together
CPU_TOKENS = 1536  # of one pass: larger activations leave the cache, and malloc clears new pages
NO_OPTION = -1e9  # logit of an option that an example does not have


@dataclass(frozen=True, eq=False)
class Batcher:
    """Makes model inputs of examples, from tokens or from cached hidden states."""

    encoded: Encoded
    states: Any = None  # (T, d) float32 array or memory map, or None
    device: str = "cpu"
    head: OutputLayer | None = None  # makes the logits of states chunk by chunk

    def inputs(self, rows: Ints) -> dict[str, Tensor]:
        """Padded inputs of the sequences of the given examples."""
        enc = self.encoded
        sequences = sequences_of(enc, rows)
        lengths = enc.lengths[sequences]
        width = int(lengths.max())
        mask = np.arange(width) < lengths[:, None]
        source = ranges(enc.starts[sequences], lengths)
        inputs = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
        if self.states is None:
            ids = np.full(mask.shape, enc.pad, dtype=np.int64)
            ids[mask] = enc.tokens[source]
            inputs["input_ids"] = torch.from_numpy(ids)
        else:
            states = np.zeros((*mask.shape, self.states.shape[1]), dtype=np.float32)
            states[mask] = self.states[source]
            inputs["inputs_embeds"] = torch.from_numpy(states)
        if enc.types is not None and self.states is None:
            types = np.zeros(mask.shape, dtype=np.int64)
            types[mask] = enc.types[source]
            inputs["token_type_ids"] = torch.from_numpy(types)
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    def parts(self, rows: Ints, token_budget: int) -> list[Ints]:
        """The examples of each pass, at most `token_budget` padded tokens or one example."""
        budget = min(token_budget, CPU_TOKENS) if self.device == "cpu" else token_budget
        return micro_batches(rows, self.encoded.costs, budget)

    def select(self, logits: Tensor, rows: Ints, width: int) -> Tensor:
        """The logits that have targets, of the model's logits of sequences; here (B, width).

        A classifier's logits are those of its classes. A chooser has one logit for each option;
        options that an example does not have get NO_OPTION.
        """
        if logits.shape[1] > 1:
            return logits
        counts = np.diff(self.encoded.rows)[rows]
        mask = torch.from_numpy(np.arange(width) < counts[:, None]).to(logits.device)
        table = torch.full(mask.shape, NO_OPTION, dtype=torch.float32, device=logits.device)
        return table.masked_scatter(mask, logits[:, 0].float())

    def targets(self, targets: Floats, rows: Ints) -> Any:
        """Targets of the given examples, from those of all N; here (B, K) or (B, M, K)."""
        return self.tensor(targets[rows])

    def tensor(self, values: Floats) -> Tensor:
        """The same numbers in float32 on the device."""
        return torch.from_numpy(values.astype(np.float32)).to(self.device)


def sequences_of(encoded: Encoded, rows: Ints) -> Ints:
    """Numbers of the sequences of the given examples, in their order."""
    return ranges(encoded.rows[rows], np.diff(encoded.rows)[rows])


def ranges(starts: Ints, sizes: Ints) -> Ints:
    """starts[0], starts[0] + 1, ... of each start, sizes[s] of them, one after the other."""
    offsets: Ints = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    return offsets + np.arange(len(offsets))


def plan_steps(
    costs: Ints, batch_size: int, steps: int, seed: int, levels: Ints | None = None
) -> Iterator[Ints]:
    """The examples of each optimizer step: epoch after epoch, each example once an epoch.

    A step has `batch_size` examples (the last of an epoch may have fewer). Examples are shuffled,
    sorted by length inside windows of WINDOW steps to save padding, and the steps shuffled again.
    The order of epoch e depends only on the seed and e.

    With `levels` (N,) an epoch shows the examples level by level, the lowest first, shuffled within
    each; steps are neither sorted by length nor shuffled.
    """
    made, epoch = 0, 0
    while made < steps:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(costs))
        if levels is not None:
            order = order[np.argsort(levels[order], kind="stable")]
            starts = range(0, len(order), batch_size)[: steps - made]
            yield from (order[start : start + batch_size] for start in starts)
            made, epoch = made + len(starts), epoch + 1
            continue
        batches = []
        for start in range(0, len(order), batch_size * WINDOW):
            window = order[start : start + batch_size * WINDOW]
            window = window[np.argsort(costs[window], kind="stable")]
            batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
        for b in rng.permutation(len(batches))[: steps - made]:
            yield batches[b]
            made += 1
        epoch += 1


def micro_batches(rows: Ints, costs: Ints | Floats, budget: float) -> list[Ints]:
    """Rows of like cost in parts: the largest cost of a part times its rows is within the budget.

    A part has at least one row. Costs are usually padded tokens.
    """
    order = rows[np.argsort(costs[rows], kind="stable")]
    parts: list[Ints] = []
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or costs[order[end]] * (end + 1 - start) > budget:
            parts.append(order[start:end])
            start = end
    return parts
