"""Run a grid: every pair of a weak supervisor and a student is a study, all with one store."""

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.io.atomic import write_text
from steelyard.store.store import Store
from steelyard.studies import executors
from steelyard.studies.config import read_settings
from steelyard.studies.grid_settings import make_pairs
from steelyard.studies.progress import PairProgress, StderrProgress, StudyProgress
from steelyard.studies.results.grid import grid_results
from steelyard.studies.results_file import GRID, STORE
from steelyard.studies.run import Run
from steelyard.studies.study import Result, forget_scratch, prepare, run_into


@dataclass(frozen=True)
class GridResult:
    """Scores of every pair of a grid.

    Attributes:
        folder: with grid.json, report.html, a folder for each pair, and the store of all.
        results: the content of grid.json; docs/formats.md has its keys.
    """

    folder: Path
    results: dict[str, Any]

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.folder / "report.html"

    def pair(self, weak: str, student: str) -> Result:
        """The study of one pair.

        Raises:
            KeyError: there is no such pair.
        """
        for entry in self.results["pairs"]:
            if (entry["weak"], entry["student"]) == (weak, student):
                folder = self.folder / entry["folder"]
                text = (folder / "results.json").read_text(encoding="utf-8")
                return Result(folder, json.loads(text))
        raise KeyError((weak, student))

    def __repr__(self) -> str:
        names = ", ".join(entry["folder"] for entry in self.results["pairs"])
        return f"<GridResult of {self.results['grid']}: {names}\n  report: {self.report}>"


def grid(
    what: str | Path | dict[str, Any],
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    executor: executors.Name = "local",
    workers: int | None = 1,
    watch: StudyProgress | None = None,
    command: str | None = None,
) -> GridResult:
    """Run every pair of a grid as a study, or read those that were run; resumes a stopped grid.

    Pairs share a store: votes of a weak supervisor, and the ceiling and references of a student,
    are made once.

    Args:
        what: a study file with `grid`, or its settings.
        out: folder of results, report, pairs and store; `runs/<name>` if None.
        overrides: `key.path=value` settings on top of a file's.
        executor: where the jobs run.
        workers: jobs at the same time, each in its own process; None takes the machine's default.
        watch: called on progress; None prints progress to stderr.
        command: how to run it again, for the report.

    Raises:
        ConfigError: settings that cannot work.
        InputError: data that does not fit, or a folder that cannot be written.
    """
    start = time.monotonic()
    settings, source, base = _settings(what, overrides)
    pairs, name = make_pairs(settings, source, base), str(settings.get("name", "grid"))
    folder = Path(out) if out is not None else Path("runs") / name
    job_executor = executors.executor(executor, workers)
    prepare(folder)
    store = folder / STORE
    results = []
    with contextlib.nullcontext(watch) if watch else StderrProgress(name) as shown:
        for pair in pairs:
            run = Run(pair.study, Store(store), base)
            in_pair = PairProgress(shown, pair.name)
            results.append(run_into(folder / pair.name, run, job_executor, in_pair))
    whole = grid_results(name, pairs, results)
    whole |= {"command": command, "seconds": round(time.monotonic() - start, 1)}
    write_text(folder / GRID, json.dumps(whole, indent=1))
    from steelyard.report import write_grid_report

    write_grid_report(whole, folder)
    forget_scratch(Store(store))
    return GridResult(folder, whole)


def planned_grid(what: str | Path | dict[str, Any], overrides: Sequence[str] = ()) -> list[str]:
    """What a grid would do, the lines of each pair's study; nothing is trained or written.

    Raises:
        ConfigError: settings that cannot work.
        InputError: data that does not fit.
    """
    from steelyard.studies.plan import plan

    settings, source, base = _settings(what, overrides)
    lines = []
    for pair in make_pairs(settings, source, base):
        run = Run(pair.study, Store(Path("runs") / pair.name / STORE, read_only=True), base)
        lines += [f"{pair.name}:", *(f"  {line}" for line in plan(run))]
    return [*lines, "What pairs share (votes, ceilings, references) is made once."]


def has_grid(what: Path, overrides: Sequence[str] = ()) -> bool:
    """Whether a study file has a `grid`.

    Raises:
        ConfigError: no such file, or not YAML.
    """
    return "grid" in read_settings(what, overrides)


def _settings(
    what: str | Path | Mapping[str, Any], overrides: Sequence[str]
) -> tuple[Mapping[str, Any], str, Path]:
    """Settings, the name of their file for messages, and the folder that paths start from."""
    if isinstance(what, Mapping):
        return what, "grid", Path()
    return read_settings(Path(what), overrides), Path(what).name, Path(what).parent
