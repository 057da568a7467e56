"""Steps of the running job, reported by training loops to whoever listens in this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_LISTENER: ContextVar[Callable[[int, int], None] | None] = ContextVar("listener", default=None)


def report_step(done: int, total: int) -> None:
    """Tell the listener, if there is one, how many steps of how many are done."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(done, total)


@contextmanager
def steps_reported_to(listener: Callable[[int, int], None]) -> Iterator[None]:
    """Have `listener(done, total)` called after each training step inside the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
