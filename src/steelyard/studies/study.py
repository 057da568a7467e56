"""Conduct a study: do its jobs, judge them, write results and report."""

import functools
import io
import json
import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from steelyard.errors import InputError
from steelyard.io import atomic as sealed
from steelyard.models.load import identity
from steelyard.store.store import Missing, Store
from steelyard.studies import executors
from steelyard.studies import hidden_states as states
from steelyard.studies.config import Study, make_study, read_study
from steelyard.studies.progress import StderrProgress, StudyProgress
from steelyard.studies.results import collect
from steelyard.studies.results_file import LOCK, RESULTS, STORE
from steelyard.studies.run import Jobs, Run


@dataclass(frozen=True)
class Result:
    """What a study found."""

    folder: Path
    results: dict[str, Any]  # the content of results.json

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.folder / "report.html"

    def __str__(self) -> str:
        from rich.console import Console

        from steelyard.report import terminal_table

        text = io.StringIO()
        Console(width=100, file=text).print(terminal_table(self.results))
        return text.getvalue()


def study(
    what: Study | str | Path | dict[str, Any],
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    executor: executors.Name = "local",
    workers: int | None = 1,
    watch: StudyProgress | None = None,
    command: str | None = None,
) -> Result:
    """Run a study, or read it if it was run: the same call goes on where a stopped one ended.

    Args:
        what: a study file, its settings, or a Study.
        out: folder of results, report and store; `runs/<name>` if None.
        overrides: `key.path=value` settings on top of a file's.
        executor: who does the jobs.
        workers: jobs at the same time, each in its own process; None takes the machine's default.
            More than 1 needs `if __name__ == "__main__":` in a script.
        watch: is told of progress; None shows it on stderr.
        command: how to run it again, for the report.

    Raises:
        ConfigError: settings that cannot work.
        InputError: data that does not fit, or a folder that cannot be written.
    """
    start = time.monotonic()
    for remembered in (_run_of, identity):  # files may have changed since this process read them
        remembered.cache_clear()
    settings, base = _settings(what, overrides)
    folder = Path(out) if out is not None else Path("runs") / settings.name
    doer = executors.executor(executor, workers)
    _prepare(folder)
    run = Run(settings, Store(folder / STORE), base)
    if watch is None:
        with StderrProgress(settings.name) as shown:
            _do(run, base, folder, doer, shown)
    else:
        _do(run, base, folder, doer, watch)
    results = collect(run)
    results["reproduce"] = {
        "command": command or shlex.join(["steelyard", "study", LOCK, "--out", folder.name]),
        "lock": LOCK,
    }
    results["seconds"] = round(time.monotonic() - start, 1)
    sealed.write_text(folder / LOCK, lock_text(settings, base, folder))
    sealed.write_text(folder / RESULTS, json.dumps(results, indent=1))
    from steelyard.report import write

    write(results, folder)
    run.store.forget(states.KIND)
    return Result(folder, results)


def lock_text(settings: Study, base: Path, folder: Path) -> str:
    """The resolved study as YAML: every default written out, files found from `folder`."""
    words = settings.model_dump(mode="json")

    def moved(path: str, start: Path) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(start / path, folder)

    data = words["data"]
    if data["hub"] and (base / data["hub"]).is_dir():
        data["hub"] = moved(data["hub"], base)
    if not data["hub"] and not data["generated"]:
        data |= {name: moved(data[name], base) for name in ("train", "test")}
    for supervisor in words["supervisors"]:
        if supervisor["kind"] == "votes":
            supervisor["path"] = moved(supervisor["path"], Path())
    return yaml.safe_dump(words, sort_keys=False, allow_unicode=True)


def _settings(
    what: Study | str | Path | dict[str, Any], overrides: Sequence[str]
) -> tuple[Study, Path]:
    if isinstance(what, Study):
        return what, Path()
    if isinstance(what, dict):
        return make_study(what), Path()
    return read_study(Path(what), overrides), Path(what).parent


def _prepare(folder: Path) -> None:
    """Find out early whether the folder can be written; a former run's files stay as they are."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be written ({error.strerror}); give another with --out."
        ) from error


def _stored(settings: Study, base: Path, folder: Path) -> bool:
    """Whether every result of the study is in its store."""
    run = Run(settings, Store(folder / STORE, read_only=True), base)
    try:
        for seed, name in [job for jobs in run.jobs() for job in jobs]:
            run.do(seed, name)
    except Missing:
        return False
    return True


def _do(
    run: Run, base: Path, folder: Path, doer: executors.Local | executors.Ray, watch: StudyProgress
) -> None:
    rounds = run.jobs()
    everything = [job for jobs in rounds for job in jobs]
    if _stored(run.study, base, folder):
        watch.begin(everything)
        watch.done(os.getpid(), everything, True)
        return
    run.check()
    watch.begin(everything)
    text = run.study.model_dump_json()
    with doer:
        for jobs in rounds:
            full = [(text, str(base), str(folder / STORE), group) for group in run.together(jobs)]
            for job, (worker, reused) in doer.run(jobs_of_study, full, watch):
                watch.done(worker, job[3], reused)


def jobs_of_study(text: str, base: str, store: str, jobs: Jobs) -> tuple[int, bool]:
    """Jobs of one process, found by plain values so that any process or machine can do them.

    Returns:
        The process, and whether all results were in the store already.
    """
    run = _run_of(text, base, store)
    before = run.store.made
    with executors.progress_of(jobs):
        for seed, name in jobs:
            run.do(seed, name)
    executors.free_memory()
    return os.getpid(), run.store.made == before


@functools.lru_cache(maxsize=2)
def _run_of(text: str, base: str, store: str) -> Run:
    return Run(Study.model_validate_json(text), Store(Path(store)), Path(base))
