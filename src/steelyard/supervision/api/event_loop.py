"""Event loops that end cleanly: a signal is noted inside the loop and raised outside."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Received:
    """A signal that arrived while requests were pending, and the handlers of signals."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.handlers: dict[int, Callable[..., Any]] = {}

    def raise_again(self) -> None:
        if self.number is not None:
            self.handlers[self.number](self.number, None)


@contextlib.contextmanager
def signals_to(stop: asyncio.Event) -> Iterator[Received]:
    """A signal sets `stop`: raised inside the event loop, its exception could be lost there.

    Only signals that have a handler, and only in the main thread, where they arrive.
    """
    received = Received()
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        for which in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(which)
            if callable(handler):
                received.handlers[int(which)] = handler

    def note(number: int) -> None:
        received.number = number
        stop.set()

    for number in received.handlers:
        try:
            loop.add_signal_handler(number, note, number)
        except NotImplementedError:  # Windows: the handler raises where it raises
            received.handlers = {}
            break
    try:
        yield received
    finally:
        for number, handler in received.handlers.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def run_coroutine(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end; in a thread where a loop runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(make())
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(make())).result()
