"""Run a study: do its jobs, measure the students, write results and report."""

import contextlib
import html
import io
import itertools
import json
import logging
import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from steelyard.errors import ConfigError, InputError, SteelyardError
from steelyard.io.atomic import write_text
from steelyard.io.plugins import class_path, import_class, is_importable
from steelyard.models.lm.load_lm import release_models
from steelyard.store.store import Missing, Store
from steelyard.studies import executors, jobs
from steelyard.studies import hidden_states as states
from steelyard.studies.config import Study, make_study, read_study
from steelyard.studies.parts import CLASSES
from steelyard.studies.pilot import PilotScores, pilot_run, pilot_scores, why_no_pilot
from steelyard.studies.predictions import predictions_of
from steelyard.studies.predictions_file import PREDICTIONS, write_predictions
from steelyard.studies.progress import StderrProgress, StudyProgress
from steelyard.studies.results import collect
from steelyard.studies.results.recommended import recommendation
from steelyard.studies.results_file import LOCK, RESULTS, STORE
from steelyard.studies.run import Folds, Run
from steelyard.studies.votes import MODELS
from steelyard.types.show import listed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """Scores of every arm of a study, with intervals; `print` shows them as a table.

    Attributes:
        folder: with results.json, report.html, report.md and the store.
        results: the content of results.json; docs/formats.md has its keys.
    """

    folder: Path
    results: dict[str, Any]

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.folder / "report.html"

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame, one row per arm; `report.study_records` has the keys."""
        import pandas as pd

        from steelyard.report.study_export import study_records

        return pd.DataFrame(study_records(self.results))

    def __repr__(self) -> str:
        arms = listed(list(self.results["arms"]))
        return f"<Result of study {self.results['study']}: {arms}\n  report: {self.report}>"

    def _repr_html_(self) -> str:
        """The table of scores, for notebooks."""
        return f"<pre>{html.escape(str(self))}</pre>"

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
    """Run a study, or read it if it was run: the same call resumes a stopped study.

    Args:
        what: a study file, its settings, or a Study.
        out: folder of results, report and store; `runs/<name>` if None.
        overrides: `key.path=value` settings on top of a file's.
        executor: where the jobs run.
        workers: jobs at the same time, each in its own process; None takes the machine's default.
            More than 1 needs `if __name__ == "__main__":` in a script.
        watch: called on progress; None prints progress to stderr.
        command: how to run it again, for the report.

    Raises:
        ConfigError: settings that cannot work.
        InputError: data that does not fit, or a folder that cannot be written.
    """
    settings, base = _settings(what, overrides)
    folder = Path(out) if out is not None else Path("runs") / settings.name
    job_executor = executors.executor(executor, workers)
    prepare(folder)
    run = Run(settings, Store(folder / STORE), base)
    with contextlib.nullcontext(watch) if watch else StderrProgress(settings.name) as shown:
        results = run_into(folder, run, job_executor, shown, command)
    forget_scratch(run.store)
    return Result(folder, results)


def run_into(
    folder: Path,
    run: Run,
    job_executor: executors.Local | executors.Ray,
    watch: StudyProgress,
    command: str | None = None,
) -> dict[str, Any]:
    """Do the jobs of a study, and write its results and report; returns the results.

    Args:
        folder: of the results; the store may lie elsewhere.
        run: the study.
        job_executor: where its jobs run.
        watch: called on progress.
        command: how to run it again, for the report.
    """
    start, settings = time.monotonic(), run.study
    _do(run, job_executor, watch)
    pilot, reason = _pilot(run, job_executor, watch)
    results = collect(run)
    if settings.recommend:
        results["recommendation"] = recommendation(run, pilot, reason)
    results["reproduce"] = {
        "command": command or shlex.join(["steelyard", "study", LOCK, "--out", folder.name]),
        "lock": LOCK,
    }
    results["seconds"] = round(time.monotonic() - start, 1)
    folder.mkdir(exist_ok=True)
    write_text(folder / LOCK, lock_text(settings, run.base, folder))
    write_predictions(predictions_of(run), folder / PREDICTIONS)
    write_text(folder / RESULTS, json.dumps(results, indent=1))
    from steelyard.report import write_study_report

    write_study_report(results, folder)
    return results


def forget_scratch(store: Store) -> None:
    """Delete what is kept only while studies run: hidden states, and models on disk and in memory.

    Args:
        store: of the studies.
    """
    for scratch in (states.KIND, MODELS):
        store.forget(scratch)
    release_models()


def planned(what: Study | str | Path | dict[str, Any], overrides: Sequence[str] = ()) -> list[str]:
    """What a study would do, a line for each stage; nothing is trained, asked or written.

    Raises:
        ConfigError: settings that cannot work.
        InputError: data that does not fit.
    """
    from steelyard.studies.plan import plan

    settings, base = _settings(what, overrides)
    return plan(Run(settings, Store(Path("runs") / settings.name / STORE, read_only=True), base))


def lock_text(settings: Study, base: Path, folder: Path) -> str:
    """The resolved study as YAML: every default written out, files found from `folder`."""
    record = settings.model_dump(mode="json")

    def moved(path: str, start: Path) -> str:
        return path if Path(path).is_absolute() else os.path.relpath(start / path, folder)

    data = record["data"]
    if data["hub"] and (base / data["hub"]).is_dir():
        data["hub"] = moved(data["hub"], base)
    if not data["hub"] and not data["generated"]:
        data["train"] = moved(data["train"], base)
        if isinstance(data["test"], dict):
            data["test"] = {name: moved(path, base) for name, path in data["test"].items()}
        elif data["test"]:
            data["test"] = moved(data["test"], base)
    for arm in record["arms"]:
        if isinstance(arm, dict) and arm["mix"]:
            arm["mix"]["train"] = moved(arm["mix"]["train"], base)
    for asked in record["off_task"].values():
        asked["test"] = moved(asked["test"], base)
    supervisors = [s.with_paths(lambda path: moved(path, Path())) for s in settings.supervisors]
    record["supervisors"] = [supervisor.model_dump(mode="json") for supervisor in supervisors]
    return yaml.safe_dump(record, sort_keys=False, allow_unicode=True)


def _settings(
    what: Study | str | Path | dict[str, Any], overrides: Sequence[str]
) -> tuple[Study, Path]:
    if isinstance(what, Study):
        return what, Path()
    if isinstance(what, dict):
        return make_study(what), Path()
    return read_study(Path(what), overrides), Path(what).parent


def prepare(folder: Path) -> None:
    """Find out early whether the folder can be written; files of a former run are kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be written ({error.strerror}); give another as `out`."
        ) from error


def _stored(run: Run) -> bool:
    """Whether every result of the study is in its store."""
    run.store.read_only = True
    try:
        for seed, name in itertools.chain(*jobs.rounds(run)):
            jobs.do(run, seed, name)
    except Missing:
        return False
    finally:
        run.store.read_only = False
    return True


def _pilot(
    run: Run, job_executor: executors.Local | executors.Ray, watch: StudyProgress
) -> tuple[PilotScores | None, str]:
    """Scores on folds of weak_train, for the recommendation, or why there are none."""
    if not run.study.recommend or (reason := why_no_pilot(run)):
        return None, reason if run.study.recommend else ""
    pilot = pilot_run(run)
    try:
        _do(pilot, job_executor, watch)
        return pilot_scores(pilot), ""
    except SteelyardError as error:  # a fold of one class, votes that lack rows of weak_train
        return None, f"the arms could not be tried on weak_train ({error})"


def _do(run: Run, job_executor: executors.Local | executors.Ray, watch: StudyProgress) -> None:
    rounds = jobs.rounds(run)
    everything = [job for independent in rounds for job in independent]
    if _stored(run):
        watch.begin(everything)
        watch.done(os.getpid(), everything, True)
        return
    jobs.check_study(run)
    watch.begin(everything)
    classes = run.study.foreign_classes()
    plain = (
        run.study.model_dump_json(),
        str(run.base),
        str(run.store.root),
        tuple(map(class_path, classes)),
        run.folds,
    )
    with _reachable(job_executor, classes) as job_executor:
        for independent in rounds:
            tasks = [(*plain, batch) for batch in jobs.batches(run, independent)]
            done = job_executor.run(
                jobs_of_study, tasks, watch, lambda *task: _jobs_of(run, task[-1])
            )
            for task, (worker, reused) in done:
                watch.done(worker, task[-1], reused)


def jobs_of_study(
    study: str,
    base: str,
    store: str,
    classes: tuple[str, ...],
    folds: Folds | None,
    batch: jobs.Jobs,
) -> tuple[int, bool]:
    """Jobs of one process, found by plain values so that any process or machine can do them.

    Args:
        study: its settings as JSON.
        base: folder that relative data paths start from.
        store: its folder.
        classes: paths of the classes that were given as objects, which are imported here.
        folds: of the run.
        batch: the jobs.

    Returns:
        The process, and whether all results were in the store already.
    """
    key = (study, base, store, folds)
    if key not in _RUNS:
        _RUNS.clear()
        context = {CLASSES: [import_class(path) for path in classes]}
        settings = Study.model_validate_json(study, context=context)
        _RUNS[key] = Run(settings, Store(Path(store)), Path(base), folds)
    return _jobs_of(_RUNS[key], batch)


def _reachable(
    job_executor: executors.Local | executors.Ray, classes: Sequence[type]
) -> executors.Local | executors.Ray:
    """The executor, or this process where others cannot import a class that was given.

    Raises:
        ConfigError: a Ray cluster was asked for.
    """
    hidden = [cls for cls in classes if not is_importable(cls)]
    if not hidden or (job_executor.workers == 1 and isinstance(job_executor, executors.Local)):
        return job_executor
    path = class_path(hidden[0])
    if isinstance(job_executor, executors.Ray):
        raise ConfigError(
            f"Other machines cannot import {path}; put the class into a module that is installed "
            'there, or use `executor="local"`.'
        )
    log.warning(
        "Other processes cannot import %s, so one process does all jobs; put the class into a "
        "module of its own to use several.",
        path,
    )
    return executors.Local(1)


_RUNS: dict[tuple[str, str, str, Folds | None], Run] = {}
"""The run of this worker process, by its plain values; it lives as long as the process."""


def _jobs_of(run: Run, batch: jobs.Jobs) -> tuple[int, bool]:
    before = run.store.made
    with executors.progress_of(batch):
        for seed, name in batch:
            jobs.do(run, seed, name)
    executors.free_memory()
    return os.getpid(), run.store.made == before
