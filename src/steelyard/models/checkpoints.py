"""Checkpoints that are verified before they are trusted. No pickle: tensors and JSON."""

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steelyard.errors import StoreError
from steelyard.io import atomic
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

        def write(draft: Path) -> None:
            from safetensors.torch import save_file

            weights = {name: p.detach().contiguous() for name, p in run.trained()}
            save_file(weights, draft / "model.safetensors")
            optimizer = {} if end else _optimizer_tensors(run.optimizer)
            save_file(optimizer, draft / "optimizer.safetensors")
            save_file(_random_states(), draft / "random.safetensors")
            save_file(run.objective.tensors(), draft / "objective.safetensors")
            record = {"step": step, "schedule": run.schedule.last_epoch, "log": vars(run.log)}
            (draft / "state.json").write_text(json.dumps(record), encoding="utf-8")

        atomic.publish(self.folder / f"step-{step:08d}", write)
        for old in self._newest_first()[1 if end else KEEP :]:
            shutil.rmtree(old, ignore_errors=True)

    def resume(self, run: TrainingState) -> int:
        """Restore the newest verified checkpoint; return its step, 0 if there is none.

        A damaged checkpoint is reported and removed, and its predecessor tried.
        """
        for folder in self._newest_first():
            try:
                atomic.verify(folder)
            except StoreError as error:
                logger.warning("Removing a damaged checkpoint and trying an older one: %s", error)
                shutil.rmtree(folder, ignore_errors=True)
                continue
            return _restore(folder, run)
        return 0

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"), reverse=True)


def _restore(folder: Path, run: TrainingState) -> int:
    """Continue from a verified checkpoint; returns its step."""
    from safetensors.torch import load_file

    record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    saved = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for name, parameter in run.trained():
            parameter.copy_(saved[name])
    if tensors := load_file(folder / "optimizer.safetensors"):
        _fill_optimizer(run.optimizer, tensors)
    run.objective.restore(load_file(folder / "objective.safetensors"))
    schedule, groups = run.schedule, run.optimizer.param_groups
    schedule.last_epoch = record["schedule"]
    for group, start, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        group["lr"] = start * factor(record["schedule"])
    schedule._last_lr = [group["lr"] for group in groups]
    random = load_file(folder / "random.safetensors")
    torch.set_rng_state(random["cpu"])
    if "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"])
    for name, values in record["log"].items():
        getattr(run.log, name).extend(values)
    logger.info("Resuming at step %d.", record["step"])
    return int(record["step"])


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _optimizer_tensors(optimizer: Any) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `<number of parameter>.<name>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": torch.as_tensor(value).detach().cpu().contiguous()
        for number, entries in state.items()
        for name, value in entries.items()
    }


def _fill_optimizer(optimizer: Any, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        whole = tensor.ndim == 0 and not tensor.is_floating_point()  # a plain number of steps
        state.setdefault(int(number), {})[name] = tensor.item() if whole else tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
