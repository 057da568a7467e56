"""One optimizer step by several processes: DDP, or FSDP2 where the launch is configured for it.

The loss of a step is that of a single process, (1/B) sum_i w_i l_i over the step's B examples: each
process computes the sum over its share of them, so that weights act across processes whatever their
sums are in each. Both wrappers average gradients over the P processes; each share counts P times.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from steelyard.errors import TrainingError
from steelyard.models.batches import Batcher
from steelyard.models.memory import ran_out_of_memory
from steelyard.models.processes import gathered, team, whole
from steelyard.models.score import without_adapters
from steelyard.objectives import BaseObjective, ObjectiveState
from steelyard.types import Floats, Ints

RowsLoss = Callable[[Ints], tuple[Tensor, Tensor]]


class StepGradients(Protocol):
    """Sets the gradients of a step's examples."""

    def add(self, rows: Ints) -> float:
        """Set them; the loss."""


class _LossModule(nn.Module):
    """The loss of examples as a module's forward pass, which wrappers can see as a whole."""

    def __init__(self, model: Any, loss: RowsLoss) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        blocks = getattr(without_adapters(model), "_no_split_modules", None) or ()
        present = {type(module).__name__ for module in model.modules()}
        self._no_split_modules = sorted(present.intersection(blocks))

    def forward(self, rows: Ints) -> tuple[Tensor, Tensor]:
        return self.loss(rows)


@dataclass(frozen=True, eq=False)
class SharedGradients:
    """The gradients of a step, of which each process computes a share."""

    accelerator: Any
    module: Any  # a wrapped `_LossModule`
    batcher: Batcher
    targets: Floats
    token_budget: int
    objective: BaseObjective
    state: ObjectiveState

    def add(self, rows: Ints) -> float:
        """Set the gradients of one step's examples; the loss, the same in each process."""
        self.module.zero_grad(set_to_none=True)
        parts = own_parts(self.batcher, rows, self.token_budget)
        try:
            value, predictions = self._add(len(rows), parts)
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error):
                raise
            raise TrainingError(
                f"Memory ran out in process {team().rank} of {team().count}; processes that train "
                f"together cannot repeat a step. Lower `token_budget` (now {self.token_budget})."
            ) from error
        for learned in self.state.learned.values():
            if learned.grad is not None:
                learned.grad = torch.stack(gathered(learned.grad)).mean(dim=0)
        if self.state.recent is not None:
            self._remember(np.concatenate([part for part, _ in parts]), predictions)
        return float(sum(gathered(value)))

    def _add(self, size: int, parts: list[tuple[Ints, bool]]) -> tuple[float, list[Tensor]]:
        """Loss and predictions of this process's examples, out of `size`."""
        value, predictions = 0.0, []
        for number, (part, counts) in enumerate(parts, 1):
            with self._quiet() if number < len(parts) else nullcontext():
                loss, logits = self.module(part)
                loss = loss * (len(part) / size if counts else 0.0)
                self.accelerator.backward(loss * team().count)
            value += float(loss.detach())
            if self.state.recent is not None and counts:
                predictions.append(logits.detach().cpu())
        return value, predictions

    def _quiet(self) -> AbstractContextManager[None]:
        """Gradients of the passes inside are exchanged with those of the last pass."""
        quiet: AbstractContextManager[None] = self.accelerator.no_sync(self.module)
        return quiet

    def _remember(self, rows: Ints, predictions: list[Tensor]) -> None:
        assert self.state.recent is not None
        rows = rows[: sum(map(len, predictions))]
        each = gathered((rows, torch.cat(predictions) if predictions else None))
        every = np.concatenate([rows for rows, _ in each])
        logits = torch.cat([logits for _, logits in each if logits is not None])
        labels = self.objective.single_labels(self.batcher.tensor(self.targets[every]), self.state)
        self.state.recent.add(logits.to(labels.device), labels)


def own_parts(batcher: Batcher, rows: Ints, token_budget: int) -> list[tuple[Ints, bool]]:
    """The passes of this process over its share of a step's examples, and whether each counts.

    Examples are dealt out by length, so that shares cost alike. All processes have equally many
    passes, because they exchange in each: those who have fewer repeat an example that counts 0.
    """
    order = rows[np.argsort(batcher.encoded.costs[rows], kind="stable")]
    shares = [order[rank :: team().count] for rank in range(team().count)]
    plans = [batcher.parts(share, token_budget) if len(share) else [] for share in shares]
    share, passes = plans[team().rank], max(map(len, plans))
    return [*((part, True) for part in share), *[(order[:1], False)] * (passes - len(share))]


@contextmanager
def shared_module(
    model: Any, loss: RowsLoss, optimizer: Any, accelerator: Any
) -> Iterator[nn.Module]:
    """Inside, the loss of examples as a module whose gradients are those of all processes.

    Under FSDP2 the model's parameters are parts inside, and `optimizer` steps on them; on leaving,
    each process has the whole trained model again.
    """
    module: Any = _LossModule(model, loss)
    if not accelerator.is_fsdp2:
        yield accelerator.prepare(module)
        return
    plugin = accelerator.state.fsdp_plugin
    if "FSDP_TRANSFORMER_CLS_TO_WRAP" not in os.environ:  # those of this model, not of the last
        plugin.transformer_cls_names_to_wrap = module._no_split_modules
    of_model, of_objective = optimizer.param_groups[:2], optimizer.param_groups[2:]
    with _in_parts(model):
        optimizer.param_groups = of_model  # the others are no part of the module
        wrapped = accelerator.prepare(module, optimizer)[0]
        optimizer.param_groups += of_objective
        yield wrapped


@contextmanager
def _in_parts(model: nn.Module) -> Iterator[None]:
    """On leaving, the modules are as before, with the parameters that they have then, as a whole.

    `fully_shard` changes the classes, hooks and parameters of modules in place.
    """
    modules = list(model.modules())
    before = [(type(module), _copied(vars(module))) for module in modules]
    owners = [list(module._parameters.items()) for module in modules]
    try:
        yield
        for module, owned in zip(modules, owners, strict=True):
            for name, parameter in owned:
                if parameter is not None and parameter.requires_grad:
                    parameter.data = whole(module._parameters[name]).detach().to(parameter.device)
    finally:
        for module, (kind, values) in zip(modules, before, strict=True):
            module.__class__ = kind
            _put_back(vars(module), values)


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.copy() if isinstance(value, dict) else value for key, value in values.items()
    }


def _put_back(now: dict[str, Any], before: dict[str, Any]) -> None:
    """The former values; dictionaries stay the same objects, to which handles of hooks point."""
    for key in [key for key in now if key not in before]:
        del now[key]
    for key, value in before.items():
        if isinstance(value, dict) and isinstance(now.get(key), dict):
            now[key].clear()
            now[key].update(value)
        else:
            now[key] = value
