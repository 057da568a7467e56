"""`steelyard study`: run a study, or resume one."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from steelyard.cli.options import Settings, StudyFile, Workers
from steelyard.cli.terminal import print_grid, print_results
from steelyard.errors import ConfigError
from steelyard.studies.progress import StderrProgress

EXAMPLE = ("steelyard study study.yaml --set seeds=3 --out runs/first", "docs/study.md")
EXECUTORS = ("local", "ray")


def study(
    study: StudyFile,
    set_: Settings = [],  # noqa: B006
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder for results, report and stored intermediate results. "
            "The default is runs/NAME, where NAME is the name of the study.",
        ),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(
            metavar="local|ray",
            help="Where jobs run: `local` is this machine, `ray` is a Ray cluster.",
        ),
    ] = "local",
    workers: Workers = None,
    gold_curve: Annotated[
        bool,
        typer.Option(
            "--gold-curve",
            help="Also train students on 0, 10, 30, 100, 300 and 1,000 true labels, to see how "
            "many are worth as much as the weak ones (`gold_curve` of the study sets others).",
        ),
    ] = False,
    recommend: Annotated[
        bool,
        typer.Option(
            "--recommend",
            help="Also recommend an arm, from the rows of weak_train (each held out once) and past "
            "studies alone, as somebody must choose who has no other truth.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print parameters, estimated memory, tokens and steps of each stage; run nothing.",
        ),
    ] = False,
) -> None:
    """Run a study, or resume it: train every method, its controls and the ceiling, and report.

    A file with `grid` runs each weak supervisor with each student as a study.
    """
    if executor not in EXECUTORS:
        raise ConfigError(f"`--executor` must be local or ray, got {executor!r}.")
    if gold_curve:
        from steelyard.studies.reference_names import CURVE_ROWS

        set_ = [f"gold_curve={list(CURVE_ROWS)}", *set_]
    if recommend:
        set_ = ["recommend=true", *set_]
    if dry_run:
        from steelyard.studies.grid import has_grid, planned_grid
        from steelyard.studies.study import planned

        plan = planned_grid if has_grid(study, set_) else planned
        print("\n".join(plan(study, set_)))
        return
    options = [part for entry in set_ for part in ("--set", entry)]
    options += [] if executor == "local" else ["--executor", executor]
    run_study(study, out, ["study", str(study), *options], set_, executor, workers)


def run_study(
    what: Path | dict[str, Any],
    out: Path | None,
    arguments: list[str],
    overrides: list[str],
    executor: Any,
    workers: int | None,
) -> None:
    """Run a study or a grid with progress on stderr; print its table and the report's path.

    Args:
        what: a study file, or the settings of a study.
        out: folder of the results; None takes runs/NAME.
        arguments: the command and its options but --out and --workers, for "how to reproduce".
        overrides: `key=value` settings.
        executor: "local" or "ray".
        workers: jobs at the same time; None takes the machine's default.
    """
    shown = what.name if isinstance(what, Path) else str(what["name"])
    with StderrProgress(shown) as watch:
        from steelyard.studies.grid import grid, has_grid
        from steelyard.studies.study import study

        arguments = ["steelyard", *arguments, *([] if out is None else ["--out", str(out)])]
        arguments += [] if workers is None else ["--workers", str(workers)]
        options: dict[str, Any] = {
            "overrides": overrides,
            "executor": executor,
            "workers": workers,
            "watch": watch,
            "command": shlex.join(arguments),
        }
        if isinstance(what, Path) and has_grid(what, overrides):
            pairs = grid(what, out, **options)
            result = None
        else:
            result = study(what, out, **options)
    if result is None:
        print_grid(pairs.results)
    else:
        print_results(result.results)
    print(f"report: {(result or pairs).report}")
