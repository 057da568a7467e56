"""Checkpoints that are verified before they are trusted. No pickle: tensors and JSON."""

import json
import logging
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steelyard.errors import StoreError
from steelyard.io import atomic
from steelyard.models.processes import from_first, gathered, parted, team, whole
from steelyard.objectives import ObjectiveState

logger = logging.getLogger(__name__)
KEEP = 2  # newest checkpoints kept, so that a damaged one has a predecessor


@dataclass(eq=False)
class TrainingState:
    """Everything that a training run changes from step to step."""

    model: Any
    optimizer: Any
    schedule: Any
    log: Any
    objective: ObjectiveState

    def trained(self) -> Iterator[tuple[str, Any]]:
        """The parameters that are trained, by name."""
        return ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)


class Checkpoints:
    """The checkpoints of one training run, in one folder.

    The folder's name is made of what is trained (see `store`), so that changed data or settings
    are another run. A resumed run ends bit-identical to an undisturbed one on the same machine.

    Args:
        folder: where they are.
        keep_end: also keep the weights after the last step, so that a finished run is not repeated;
            for a run that is one of several of one result.
    """

    def __init__(self, folder: Path, keep_end: bool = False) -> None:
        self.folder = folder
        self.keep_end = keep_end

    def save(self, step: int, run: TrainingState, end: bool = False) -> None:
        """Write checkpoint `step` and drop the older ones beyond KEEP.

        At the `end` of training no state of the optimizer is kept.
        """

        weights = _kept((name, p.detach()) for name, p in run.trained())
        optimizer = {} if end else _optimizer_tensors(run.optimizer)
        random = _random_states()

        def write(draft: Path) -> None:
            from safetensors.torch import save_file

            save_file(weights, draft / "model.safetensors")
            save_file(optimizer, draft / "optimizer.safetensors")
            save_file(random, draft / "random.safetensors")
            save_file(run.objective.tensors(), draft / "objective.safetensors")
            record = {"step": step, "schedule": run.schedule.last_epoch, "log": vars(run.log)}
            (draft / "state.json").write_text(json.dumps(record), encoding="utf-8")

        if team().rank > 0:
            return
        atomic.publish(self.folder / f"step-{step:08d}", write)
        for old in self._newest_first()[1 if end else KEEP :]:
            shutil.rmtree(old, ignore_errors=True)

    def resume(self, run: TrainingState) -> int:
        """Restore the newest verified checkpoint; return its step, 0 if there is none.

        A damaged checkpoint is reported and removed, and its predecessor tried. Of processes that
        train together the first one reads it, whatever number of them wrote it.
        """
        saved = from_first(self._newest)
        return 0 if saved is None else _restore(saved, run)

    def _newest(self) -> "_Saved | None":
        """The newest verified checkpoint."""
        for folder in self._newest_first():
            try:
                atomic.verify(folder)
            except StoreError as error:
                logger.warning("Removing a damaged checkpoint and trying an older one: %s", error)
                shutil.rmtree(folder, ignore_errors=True)
                continue
            return _Saved.read(folder)
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"), reverse=True)


@dataclass(frozen=True, eq=False)
class _Saved:
    """The content of a checkpoint."""

    record: dict[str, Any]
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    objective: dict[str, Tensor]
    random: dict[str, Tensor]

    @classmethod
    def read(cls, folder: Path) -> "_Saved":
        from safetensors.torch import load_file

        record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        names = ("model", "optimizer", "objective", "random")
        return cls(record, *(load_file(folder / f"{name}.safetensors") for name in names))


def _restore(saved: _Saved, run: TrainingState) -> int:
    """Continue from a verified checkpoint; returns its step."""
    record = saved.record
    with torch.no_grad():
        for name, parameter in run.trained():
            parameter.copy_(parted(saved.model[name], parameter))
    if saved.optimizer:
        _fill_optimizer(run.optimizer, saved.optimizer)
    run.objective.restore(saved.objective)
    schedule, groups = run.schedule, run.optimizer.param_groups
    schedule.last_epoch = record["schedule"]
    for group, start, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        group["lr"] = start * factor(record["schedule"])
    schedule._last_lr = [group["lr"] for group in groups]
    _restore_random(saved.random)
    for name, values in record["log"].items():
        getattr(run.log, name).extend(values)
    logger.info("Resuming at step %d.", record["step"])
    return int(record["step"])


def _restore_random(saved: dict[str, Tensor]) -> None:
    """The states of this process; one that the checkpoint does not know keeps its own."""
    rank = team().rank
    end = f".{rank}" if rank else ""
    if f"cpu{end}" in saved:
        torch.set_rng_state(saved[f"cpu{end}"])
    if f"cuda{end}" in saved:
        torch.cuda.set_rng_state(saved[f"cuda{end}"])


def _random_states() -> dict[str, Tensor]:
    """`cpu` and `cuda` of the first process, `cpu.1` ... of those that train with it."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return {
        f"{name}.{rank}" if rank else name: state
        for rank, each in enumerate(gathered(states))
        for name, state in each.items()
    }


def _optimizer_tensors(optimizer: Any) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `<number of parameter>.<name>`."""
    state = optimizer.state_dict()["state"]
    tensors = (
        (f"{number}.{name}", torch.as_tensor(value).detach())
        for number, entries in state.items()
        for name, value in entries.items()
    )
    return {name: tensor.cpu() for name, tensor in _kept(tensors).items()}


def _kept(tensors: Iterable[tuple[str, Any]]) -> dict[str, Tensor]:
    """The tensors as a whole, in the process that writes them."""
    kept = {}
    for name, tensor in tensors:
        complete = whole(tensor)  # by all processes
        if team().rank == 0:
            kept[name] = complete.contiguous()
    return kept


def _fill_optimizer(optimizer: Any, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        whole_number = tensor.ndim == 0 and not tensor.is_floating_point()  # a number of steps
        value = tensor.item() if whole_number else tensor
        if tensor.ndim:
            value = parted(tensor, parameters[int(number)])
        state.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
