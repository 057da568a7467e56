"""Checkpoints that are verified before they are trusted. No pickle: tensors and JSON."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steelyard.errors import StoreError
from steelyard.io import atomic
from steelyard.objectives import ObjectiveState

logger = logging.getLogger(__name__)
KEEP = 2  # newest checkpoints kept, so that a damaged one has a predecessor


class Checkpoints:
    """The checkpoints of one training run, in one folder.

    The folder's name is made of what is trained (see `store`), so that changed data or settings
    are another run. A resumed run ends bit-identical to an undisturbed one on the same machine.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(
        self, step: int, model: Any, optimizer: Any, schedule: Any, log: Any, state: ObjectiveState
    ) -> None:
        """Write checkpoint `step` and drop the older ones beyond KEEP."""

        def write(draft: Path) -> None:
            from safetensors.torch import save_file

            trained = {name: p.detach() for name, p in _trained(model)}
            save_file({k: v.contiguous() for k, v in trained.items()}, draft / "model.safetensors")
            save_file(_optimizer_tensors(optimizer), draft / "optimizer.safetensors")
            save_file(_random_states(), draft / "random.safetensors")
            save_file(state.tensors(), draft / "objective.safetensors")
            record = {"step": step, "schedule": schedule.last_epoch, "log": vars(log)}
            (draft / "state.json").write_text(json.dumps(record), encoding="utf-8")

        atomic.publish(self.folder / f"step-{step:08d}", write)
        for old in self._newest_first()[KEEP:]:
            shutil.rmtree(old, ignore_errors=True)

    def resume(
        self, model: Any, optimizer: Any, schedule: Any, log: Any, state: ObjectiveState
    ) -> int:
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
            return self._restore(folder, model, optimizer, schedule, log, state)
        return 0

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"), reverse=True)

    def _restore(
        self,
        folder: Path,
        model: Any,
        optimizer: Any,
        schedule: Any,
        log: Any,
        state: ObjectiveState,
    ) -> int:
        from safetensors.torch import load_file

        record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        saved = load_file(folder / "model.safetensors")
        with torch.no_grad():
            for name, parameter in _trained(model):
                parameter.copy_(saved[name])
        _fill_optimizer(optimizer, load_file(folder / "optimizer.safetensors"))
        state.restore(load_file(folder / "objective.safetensors"))
        schedule.last_epoch = record["schedule"]
        for group, start, factor in zip(
            optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
        ):
            group["lr"] = start * factor(record["schedule"])
        schedule._last_lr = [group["lr"] for group in optimizer.param_groups]
        random = load_file(folder / "random.safetensors")
        torch.set_rng_state(random["cpu"])
        if "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"])
        for name, values in record["log"].items():
            getattr(log, name).extend(values)
        logger.info("Resuming at step %d.", record["step"])
        return int(record["step"])


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def _optimizer_tensors(optimizer: Any) -> dict[str, Tensor]:
    """The optimizer's state as named tensors: `<number of parameter>.<name>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value.detach().cpu().contiguous()
        for number, entries in state.items()
        for name, value in entries.items()
    }


def _fill_optimizer(optimizer: Any, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
