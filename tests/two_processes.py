"""Two processes of a launch on this machine's CPU, as `torchrun` would start them, by forks."""

import os
import pickle
import socket
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedType, FullyShardedDataParallelPlugin
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch.multiprocessing import start_processes

from steelyard.models.processes import together

FSDP2 = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
}
"""What `accelerate launch --use_fsdp --fsdp_version 2 ...` sets."""


def in_two_processes(
    function: Callable[..., Any],
    *args: Any,
    folder: Path,
    sharded: bool = False,
    joined: bool = True,
) -> list[Any]:
    """The results of `function(*args)` in each of two processes.

    They train together if `joined`; else they are as a launcher starts them. With `sharded` they do
    so under FSDP2. Accelerate offers it for GPUs only (of MULTI_CPU it ignores the settings);
    nothing else in its plugin and in `fully_shard` minds processes of a CPU.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = (function, args, folder, port, sharded, joined)
    start_processes(_one, args=given, nprocs=2, start_method="fork")
    return [pickle.loads((folder / f"result-{rank}").read_bytes()) for rank in range(2)]


def _one(
    rank: int,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    folder: Path,
    port: int,
    sharded: bool,
    joined: bool,
) -> None:
    torch.set_num_threads(1)
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "yes"})
    for state in (AcceleratorState, GradientState, PartialState):  # those of the parent
        state._reset_state()
    with together() if joined else nullcontext():
        if sharded:
            _shard_on_cpu()
        result = function(*args)
    (folder / f"result-{rank}").write_bytes(pickle.dumps(result))
    if joined:
        torch.distributed.destroy_process_group()


def _shard_on_cpu() -> None:
    os.environ.update(FSDP2)
    state = Accelerator(mixed_precision="no", cpu=True).state
    AcceleratorState._shared_state["fsdp_plugin"] = FullyShardedDataParallelPlugin()
    for kind in (AcceleratorState, PartialState):
        kind._shared_state["distributed_type"] = DistributedType.FSDP
    assert state.is_fsdp2
