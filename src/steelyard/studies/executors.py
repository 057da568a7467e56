"""Who does the jobs: this process, several processes, or a Ray cluster.

Jobs find their inputs and leave their results in the store, so an executor only has to call them.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, Literal

from steelyard.errors import ConfigError, SteelyardError

Job = tuple[Any, ...]
MAX_WORKERS = 1024
Name = Literal["local", "ray"]


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """Two processes on a machine without a GPU, which share its cores; one with a GPU."""
    import torch

    return 1 if torch.cuda.is_available() else min(2, cores())


class Local:
    """Processes on this machine; one worker is this process itself.

    Each has its share of the cores. A stop ends them at once: what they were making is absent
    from the store or whole.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Local":
        if self.workers > 1:
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_quiet_worker,
                initargs=(max(1, cores() // self.workers),),
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
        here: Callable[..., Any] | None = None,
    ) -> Iterator[tuple[Job, Any]]:
        """Call `function(*job)` for each job; yield (job, result) as they finish.

        Args:
            function: called in other processes; found by its name.
            jobs: what it is called with.
            here: called in place of `function` in this process; None: the same.
        """
        if self._pool is None or len(jobs) == 1:  # a single job has all cores, here
            for job in jobs:
                yield job, (here or function)(*job)
            return
        with _held(signal.SIGINT):  # a worker inherits them held: Ctrl-C is for its parent
            futures = {self._pool.submit(function, *job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise SteelyardError(
                "A worker process was killed, most likely for memory. What is stored is safe; "
                "run the same command with --workers 1."
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
            raise ConfigError(
                "`--executor ray` needs Ray; run `pip install 'steelyard[ray]'`."
            ) from error
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
        here: Callable[..., Any] | None = None,
    ) -> Iterator[tuple[Job, Any]]:
        """Call `function(*job)` for each job; yield (job, result) as they finish."""
        import ray

        share = max(1, int(ray.cluster_resources().get("CPU", 1)) // self.workers)
        task = ray.remote(num_cpus=share)(function)
        waiting = {task.remote(*job): job for job in jobs}
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            for reference in ready:
                try:
                    yield waiting.pop(reference), ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None


def executor(name: Name, workers: int | None) -> Local | Ray:
    """The executor of a name; `workers` None takes the default of the machine."""
    count = default_workers() if workers is None else workers
    if count < 1:
        raise ConfigError(f"`--workers` must be at least 1, got {count}.")
    if count > MAX_WORKERS:
        raise ConfigError(f"`--workers` must be at most {MAX_WORKERS}, got {count}.")
    return Ray(count) if name == "ray" else Local(count)


def free_memory() -> None:
    """Give unused memory back to the system; glibc keeps most of what a training has freed."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # other systems have no such call
        ctypes.CDLL(None).malloc_trim(0)


def _quiet_worker(threads: int) -> None:
    """A worker leaves Ctrl-C to its parent, ends with it, and keeps to its cores."""
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
