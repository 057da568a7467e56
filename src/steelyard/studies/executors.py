"""Where jobs run: this process, several processes, or a Ray cluster.

Jobs find their inputs and leave their results in the store, so an executor only has to call them.
"""

import ctypes
import gc
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from steelyard.errors import ConfigError, SteelyardError
from steelyard.extras import missing_extra
from steelyard.models.processes import launched
from steelyard.progress import steps_reported_to
from steelyard.studies.progress import NoStudyProgress, StudyProgress

Job = tuple[Any, ...]
Event = tuple[Any, ...]
"""A method of StudyProgress and its arguments, such as ("step", worker, done, total)."""
MAX_WORKERS = 1024
NO_PROGRESS = NoStudyProgress()
PERIOD = 0.5  # seconds between two reports of training steps
Name = Literal["local", "ray"]


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """Two processes on a machine without a GPU, which share its cores; otherwise one a GPU."""
    return len(gpus()) or min(2, cores())


def gpus() -> tuple[str, ...]:
    """Names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES has them."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    named = [name.strip() for name in visible.split(",")] if visible else []
    return tuple(named[:count] if len(named) >= count else map(str, range(count)))


class Local:
    """Processes on this machine; one worker is this process itself.

    Each has its share of the cores, and one GPU where there are any. A stop ends them at once: what
    they were making is absent from the store or whole.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._events: Any = None  # what workers report: see `progress_of`

    def __enter__(self) -> "Local":
        if self.workers > 1:
            check_main_guard(self.workers)
            context = multiprocessing.get_context("spawn")
            self._events = context.SimpleQueue()
            devices, names = context.SimpleQueue(), gpus()
            for worker in range(self.workers):
                devices.put(names[worker % len(names)] if names else None)
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=context,
                initializer=_quiet_worker,
                initargs=(max(1, cores() // self.workers), self._events, devices),
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is None:
            return
        if kind is None:
            self._pool.shutdown()
            return
        with _held(signal.SIGINT, signal.SIGTERM):  # a second stop would leave workers behind
            self._pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.kill()
            self._pool.shutdown()

    def run(
        self,
        function: Callable[..., Any],
        jobs: Sequence[Job],
        watch: StudyProgress = NO_PROGRESS,
        here: Callable[..., Any] | None = None,
    ) -> Iterator[tuple[Job, Any]]:
        """Call `function(*job)` for each job; yield (job, result) as they finish.

        Args:
            function: called in other processes; found by its name.
            jobs: what it is called with.
            watch: called when jobs start and progress.
            here: called in place of `function` in this process; None calls `function`.
        """
        if self._pool is None or len(jobs) == 1:  # a single job has all cores, here
            for job in jobs:
                with _reporting(lambda event: _show(event, watch)):
                    result = (here or function)(*job)
                yield job, result
            return
        threading.Thread(target=_show_all, args=(self._events, watch), daemon=True).start()
        try:
            yield from self._in_pool(function, jobs)
        finally:
            self._events.put(None)  # ends the thread

    def _in_pool(
        self, function: Callable[..., Any], jobs: Sequence[Job]
    ) -> Iterator[tuple[Job, Any]]:
        assert self._pool is not None
        with _held(signal.SIGINT):  # a worker inherits them held: Ctrl-C is for its parent
            futures = {self._pool.submit(function, *job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise SteelyardError(
                "A worker process was killed, most likely because memory ran out. Finished "
                "results are stored; run it again with `workers` 1."
            ) from error


class Ray:
    """Tasks on a Ray cluster whose machines share the store's folder.

    Args:
        workers: tasks at a time; their cores are the cluster's over this.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> "Ray":
        try:
            import ray
        except ImportError as error:
            raise (missing_extra("The executor `ray`", "ray") or error) from error
        if not ray.is_initialized():
            ray.init(logging_level="error", log_to_driver=False)
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        ray.shutdown()

    def run(
        self,
        function: Callable[..., Any],
        jobs: Sequence[Job],
        watch: StudyProgress = NO_PROGRESS,
        here: Callable[..., Any] | None = None,
    ) -> Iterator[tuple[Job, Any]]:
        """Call `function(*job)` for each job; yield (job, result) as they finish.

        Progress inside a job on another machine is not shown.
        """
        import ray

        there = ray.cluster_resources()
        share = max(1, int(there.get("CPU", 1)) // self.workers)
        part = min(1.0, there.get("GPU", 0) / self.workers)  # Ray shows a task the GPU it asks for
        task = ray.remote(num_cpus=share, num_gpus=part)(function)
        waiting = {task.remote(*job): job for job in jobs}
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            for reference in ready:
                try:
                    yield waiting.pop(reference), ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None


def executor(name: Name, workers: int | None) -> Local | Ray:
    """An executor by its name; `workers` None takes the default of the machine.

    Processes of a launcher train each student together, one after the other.
    """
    if launched().count > 1:
        if name != "local" or workers not in (None, 1):
            raise ConfigError(
                f"{launched().count} processes were launched, which train each student together: "
                "`executor` must be local and `workers` 1."
            )
        return Local(1)
    count = default_workers() if workers is None else workers
    if count < 1:
        raise ConfigError(f"`workers` must be at least 1, got {count}.")
    if count > MAX_WORKERS:
        raise ConfigError(f"`workers` must be at most {MAX_WORKERS}, got {count}.")
    return Ray(count) if name == "ray" else Local(count)


SHARE_OF_TIME = 0.05
"""Most of the time that is spent on collecting garbage between the jobs of a study."""


@dataclass
class _Collected:
    """The last collection of garbage in this process, in seconds of `time.monotonic`."""

    at: float = -math.inf
    took: float = 0.0


_LAST = _Collected()


def free_memory() -> None:
    """Give unused memory back to the system; glibc keeps most of what a training has freed.

    After jobs of milliseconds garbage waits for a later one: a collection takes some 0.2 s once
    the libraries are loaded.
    """
    begin = time.monotonic()
    if begin - _LAST.at >= _LAST.took / SHARE_OF_TIME:
        gc.collect()
        _LAST.at = time.monotonic()
        _LAST.took = _LAST.at - begin
    with suppress(OSError, AttributeError, TypeError):  # other systems have no such call
        ctypes.CDLL(None).malloc_trim(0)


def check_main_guard(workers: int) -> None:
    """Refuse to start processes from a script that would start itself again in each of them.

    Raises:
        ConfigError: the script has no `if __name__ == "__main__":`.
    """
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        source = Path(path).read_text(encoding="utf-8", errors="replace") if path else "__main__"
    except OSError:  # such as a script inside an archive
        return
    if "__main__" not in source:
        raise ConfigError(
            f"`workers={workers}` starts processes that run {Path(str(path)).name} again. Put the "
            'call of `study` into a block that begins with `if __name__ == "__main__":`, or give '
            "`workers=1`."
        )


_report: Callable[[Event], None] = lambda event: None  # noqa: E731
"""Where this process reports what it does; set in each worker, and while a job runs here."""


@contextmanager
def progress_of(jobs: Sequence[tuple[int, str]]) -> Iterator[None]:
    """Report that jobs begin, and the steps of the training inside the block."""
    worker, last = os.getpid(), 0.0

    def step(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= PERIOD:
            last = time.monotonic()
            _report(("step", worker, done, total))

    _report(("started", worker, list(jobs)))
    with steps_reported_to(step):
        yield


@contextmanager
def _reporting(report: Callable[[Event], None]) -> Iterator[None]:
    global _report
    before, _report = _report, report
    try:
        yield
    finally:
        _report = before


def _show(event: Event, watch: StudyProgress) -> None:
    name, *values = event
    getattr(watch, name)(*values)


def _show_all(events: Any, watch: StudyProgress) -> None:
    """Show events until None comes; in a thread."""
    while (event := events.get()) is not None:
        _show(event, watch)


def _quiet_worker(threads: int, events: Any, devices: Any) -> None:
    """A worker leaves Ctrl-C to its parent, ends with it, and keeps to its cores and its GPU."""
    global _report
    _report = events.put
    if (device := devices.get()) is not None:  # before torch looks
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch

    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers; they would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _held(*signals: signal.Signals) -> Iterator[None]:
    """Hold signals back; they arrive afterwards. Windows cannot, and goes on without."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
