"""Progress of a study on stderr: a bar in a terminal, a line for each job elsewhere.

Loads nothing heavy, so that the first line appears at once.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from steelyard.errors import printable

Job: TypeAlias = tuple[int, str]
"""Seed, and "votes" or the name of an arm whose student is trained; of a grid behind its pair."""
STARTING = "loading libraries and data"


class StudyProgress(Protocol):
    """Is told what happens in a study. Methods may be called from several threads."""

    def begin(self, jobs: Sequence[Job]) -> None:
        """These jobs are to be done, after those of an earlier call."""

    def started(self, worker: int, jobs: Sequence[Job]) -> None:
        """A worker begins some jobs."""

    def step(self, worker: int, done: int, total: int) -> None:
        """The student that a worker trains has done some of its steps."""

    def done(self, worker: int, jobs: Sequence[Job], reused: bool) -> None:
        """A worker has finished its jobs, or has read their results from the store."""


class NoStudyProgress:
    """Shows nothing."""

    def begin(self, jobs: Sequence[Job]) -> None: ...

    def started(self, worker: int, jobs: Sequence[Job]) -> None: ...

    def step(self, worker: int, done: int, total: int) -> None: ...

    def done(self, worker: int, jobs: Sequence[Job], reused: bool) -> None: ...


class PairProgress:
    """Shows the jobs of one pair of a grid, with the pair's name before each job's.

    Args:
        watch: shows them.
        pair: its name.
    """

    def __init__(self, watch: StudyProgress, pair: str) -> None:
        self._watch, self._pair = watch, pair

    def begin(self, jobs: Sequence[Job]) -> None:
        """These jobs are to be done, after those of an earlier call."""
        self._watch.begin(self._named(jobs))

    def started(self, worker: int, jobs: Sequence[Job]) -> None:
        """A worker begins some jobs."""
        self._watch.started(worker, self._named(jobs))

    def step(self, worker: int, done: int, total: int) -> None:
        """The student that a worker trains has done some of its steps."""
        self._watch.step(worker, done, total)

    def done(self, worker: int, jobs: Sequence[Job], reused: bool) -> None:
        """A worker has finished its jobs, or has read their results from the store."""
        self._watch.done(worker, self._named(jobs), reused)

    def _named(self, jobs: Sequence[Job]) -> list[Job]:
        return [(seed, f"{self._pair} {name}") for seed, name in jobs]


class Stopwatch:
    """Lines on stderr, each with the seconds since the first."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    def line(self, text: str) -> None:
        """Print a line at once."""
        print(f"{self.seconds:7.1f} s  {printable(text)}", file=sys.stderr, flush=True)


class TimeLeft:
    """Estimates the time left from how long jobs of each kind took: votes, or students.

    Results that were reused took no time and do not count. A kind of which no job is done is
    estimated from the steps of one that runs; without any, there is no estimate.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._left = Counter(kind_of(job) for job in jobs)
        self._seconds: dict[str, float] = {}
        self._measured: Counter[str] = Counter()

    def done(self, jobs: Sequence[Job], seconds: float | None, reused: bool) -> None:
        """Some jobs of one worker are done, in so many seconds together; None where not known."""
        self._left.subtract(kind_of(job) for job in jobs)
        if not reused and seconds is not None:
            kind = kind_of(jobs[0])
            self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds
            self._measured[kind] += len(jobs)

    def seconds(self, running: Sequence[tuple[Sequence[Job], float, float]]) -> float | None:
        """Seconds until all jobs are done, None where too little is known.

        Args:
            running: the jobs of each busy worker, the seconds since they began, and the share of
                their steps that is done, in [0, 1].
        """
        total = 0.0
        for kind, left in self._left.items():
            each = self._each(kind, running)
            if left and each is None:
                return None
            total += left * (each or 0.0)
        for jobs, elapsed, _ in running:
            total -= min(elapsed, (self._each(kind_of(jobs[0]), running) or 0.0) * len(jobs))
        return max(total, 0.0) / max(len(running), 1)

    def _each(
        self, kind: str, running: Sequence[tuple[Sequence[Job], float, float]]
    ) -> float | None:
        if self._measured[kind]:
            return self._seconds[kind] / self._measured[kind]
        estimates = [
            elapsed / share / len(jobs)
            for jobs, elapsed, share in running
            if share > 0 and kind_of(jobs[0]) == kind
        ]
        return max(estimates) if estimates else None


class _Running:
    """What one worker does now."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs, self.start = jobs, time.monotonic()
        self.steps, self.total = 0, 0

    @property
    def state(self) -> tuple[Sequence[Job], float, float]:
        share = self.steps / self.total if self.total else 0.0
        return self.jobs, time.monotonic() - self.start, share

    def __str__(self) -> str:
        steps = f" {self.steps}/{self.total}" if self.total else ""
        return named(self.jobs) + steps


class StderrProgress:
    """Shows what runs now in each worker, how much is done and reused, and the time left.

    Args:
        name: of the study or its file, for the first line, which is shown at once.
    """

    def __init__(self, name: str) -> None:
        self._watch, self._lock = Stopwatch(), threading.Lock()
        self._running: dict[int, _Running] = {}
        self._ended: dict[tuple[Job, ...], float] = {}  # seconds of jobs not yet reported as done
        self._jobs, self._done, self._reused = 0, 0, 0
        self._left = TimeLeft(())
        self._bar: Any = None
        if sys.stderr.isatty():
            self._start_bar(f"{name}: {STARTING}")
        else:
            self._watch.line(f"{name}: {STARTING}")

    def __enter__(self) -> "StderrProgress":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        if kind is None and self._reused:
            self._watch.line(f"{self._reused} of {self._jobs} results reused")

    def begin(self, jobs: Sequence[Job]) -> None:
        """Show how many jobs there are, besides those that are done already."""
        self._jobs, self._left = self._done + len(jobs), TimeLeft(jobs)
        if self._bar is not None:
            self._bar.update(0, total=self._jobs, completed=self._done)

    def started(self, worker: int, jobs: Sequence[Job]) -> None:
        """Show what a worker begins."""
        with self._lock:
            if before := self._running.get(worker):  # its result is still under way
                self._ended[tuple(before.jobs)] = before.state[1]
            self._running[worker] = _Running(jobs)
            self._show()

    def step(self, worker: int, done: int, total: int) -> None:
        """Show how far the training of a worker is."""
        with self._lock:
            if worker in self._running:
                self._running[worker].steps, self._running[worker].total = done, total
                self._show()

    def done(self, worker: int, jobs: Sequence[Job], reused: bool) -> None:
        """Count finished jobs; print a line for them unless their results were reused."""
        with self._lock:
            self._done += len(jobs)
            self._reused += len(jobs) if reused else 0
            self._left.done(jobs, self._seconds_of(worker, jobs), reused)
            if self._bar is None and not reused:
                self._watch.line(f"{self._done}/{self._jobs}  {named(jobs)}{self._time_left()}")
            self._show()

    def _seconds_of(self, worker: int, jobs: Sequence[Job]) -> float | None:
        """How long some jobs took; None where their worker did not say when they began."""
        running = self._running.get(worker)
        if running is None or tuple(running.jobs) != tuple(jobs):
            return self._ended.pop(tuple(jobs), None)
        return self._running.pop(worker).state[1]

    def _time_left(self) -> str:
        seconds = self._left.seconds([running.state for running in self._running.values()])
        if seconds is None or self._done >= self._jobs:
            return ""
        return f"  about {clock(seconds)} left"

    def _show(self) -> None:
        if self._bar is None:
            return
        parts = [str(running) for running in self._running.values()]
        parts += [f"{self._reused} reused"] if self._reused else []
        text = "; ".join(parts)
        self._bar.update(0, completed=self._done, description=text, left=self._time_left())

    def _start_bar(self, text: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.table import Column

        self._bar = Progress(
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, ratio=1)),
            console=Console(stderr=True),
            expand=True,
        )
        self._bar.add_task(printable(text), total=None, left="")
        self._bar.start()


def kind_of(job: Job) -> str:
    """Jobs of one kind take about as long: "votes", or "student"."""
    return "votes" if job[1].rpartition(" ")[2] == "votes" else "student"


def named(jobs: Sequence[Job]) -> str:
    """Jobs as text: "votes, seed 1", or "ceiling, seed 0 and 11 more"."""
    seed, name = jobs[0]
    others = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
    return f"{name}, seed {seed}{others}"


def clock(seconds: float) -> str:
    """Seconds as "45 s", "3 min" or "2 h 5 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
