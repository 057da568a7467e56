"""The processes that train one model together, as `accelerate launch` or `torchrun` starts them.

The first process leads: it alone reads data, asks supervisors, stores results and prints. The
others wait, and join whenever a function `by_all_processes` is called, such as `finetune`.
Outside of that a process works alone, however many were started.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from steelyard.errors import ConfigError, InputError, TrainingCollapsed

P = ParamSpec("P")
T = TypeVar("T")
IN_EACH = (ConfigError, InputError, TrainingCollapsed)
"""Errors that are raised in every process, or in none."""
OWN = ("states",)
"""Arguments that are the first process's own, and None in the others: caches."""
PATIENCE = timedelta(days=7)  # for the first process, which may ask supervisors for hours


@dataclass(frozen=True)
class Team:
    """How many processes train together, and which of them this is."""

    count: int = 1
    rank: int = 0


ALONE = Team()
_team = ALONE
_leads = False  # whether the others wait for what this process calls


def launched() -> Team:
    """The processes that a launcher started, by its environment; one without a launcher."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    return Team(count, int(os.environ.get("RANK", "0"))) if count > 1 else ALONE


def team() -> Team:
    """The processes that train together now: one outside of `together`."""
    return _team


def join() -> None:
    """Meet the other processes of the launch; the first call waits for them."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    PartialState(cpu=cpu, timeout=PATIENCE)


@contextmanager
def together() -> Iterator[None]:
    """Inside, all processes of the launch train one model. Each of them must enter."""
    global _team
    join()
    before, _team = _team, launched()
    try:
        yield
    finally:
        _team = before


@contextmanager
def lead() -> Iterator[bool]:
    """Inside, the first process of a launch leads: whether this is the one.

    The others come in when it has left, and have nothing to do. Without a launch it is this one.
    """
    global _leads
    if launched().count == 1:
        yield True
        return
    join()
    if launched().rank > 0:
        _follow()
        yield False
    else:
        _leads = True
        try:
            yield True
        except Exception:
            if _leads:
                broadcast(None)
            raise
        broadcast(None)
        _leads = False
    from accelerate import PartialState

    PartialState().destroy_process_group()


def by_all_processes(function: Callable[P, T]) -> Callable[P, T]:
    """The function, called in all processes of the launch where the first one, leading, calls it.

    Arguments are sent to the others, but for those in OWN.
    """

    @functools.wraps(function)
    def shared(*args: P.args, **kwargs: P.kwargs) -> T:
        global _leads
        if not _leads or _team.count > 1:
            return function(*args, **kwargs)
        sent = {name: None if name in OWN else value for name, value in kwargs.items()}
        broadcast((shared, args, sent))
        _leads = False  # an error in this process alone leaves the others in the middle of a step
        try:
            with together():
                result = function(*args, **kwargs)
        except IN_EACH:
            _leads = True
            raise
        _leads = True
        return result

    return shared


def _follow() -> None:
    """Join the first process in what it calls, until it is done."""
    while (call := broadcast(None)) is not None:
        function, args, kwargs = call
        with together(), suppress(*IN_EACH):
            function(*args, **kwargs)


def gathered(value: T) -> list[T]:
    """The value of each process, in their order."""
    if _team.count == 1:
        return [value]
    from accelerate.utils import gather_object

    values: list[T] = gather_object([value])
    return values


def from_first(make: Callable[[], T]) -> T:
    """What the first process makes, in each of them."""
    if _team.count == 1:
        return make()
    value: T = broadcast(make() if _team.rank == 0 else None)
    return value


def broadcast(value: Any) -> Any:
    """The value of the first process of the launch, in each of them."""
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def whole(tensor: Any) -> Any:
    """A tensor of which each process may hold a part, as a whole. Each of them must call it."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def parted(tensor: Any, like: Any) -> Any:
    """A whole tensor, or the part of it that this process holds of `like`."""
    if not hasattr(like, "full_tensor"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    local = tensor.to(like.device)
    return distribute_tensor(local, like.device_mesh, like.placements, src_data_rank=None)
