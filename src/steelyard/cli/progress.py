"""Progress of a study on stderr: a bar in a terminal, a line for each job elsewhere."""

import sys
import time
from typing import Any


class Progress:
    """Watches a study."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.jobs, self.finished = 0, 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, jobs: int) -> None:
        """So many jobs are to be done."""
        self.jobs = jobs
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("starting", total=jobs)
        self._bar.start()

    def done(self, seed: int, name: str) -> None:
        """One job is done."""
        self.finished += 1
        text = f"{name}, seed {seed}"
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=f"{text:<30}")
            return
        seconds = time.monotonic() - self.start
        print(f"{seconds:7.1f} s  {self.finished}/{self.jobs}  {text}", file=sys.stderr, flush=True)
