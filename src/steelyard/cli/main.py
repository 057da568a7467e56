"""Commands. Each parses, calls and prints; heavy modules are imported when a command runs."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from steelyard.errors import SteelyardError, Stopped

app = typer.Typer(
    name="steelyard",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train strong models on labels from weak supervisors, and weigh how far each label can "
    "be trusted.",
)
_state = {"verbose": False}

Out = Annotated[Path | None, typer.Option(help="Folder of results, report and store.")]
Workers = Annotated[
    int | None, typer.Option(help="Jobs at a time; by default 2, or 1 with a GPU.", min=1)
]
Settings = Annotated[
    list[str], typer.Option("--set", help="Override a setting, such as student.epochs=2.")
]


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show tracebacks.")] = False,
) -> None:
    """Remember the options that all commands share."""
    _state["verbose"] = verbose


@app.command()
def demo(out: Out = None, workers: Workers = None) -> None:
    """Run a complete study on an embedded task: no network, under 90 seconds on two cores."""
    from steelyard.cli.demo import DEMO

    _study(dict(DEMO), out or Path("runs/demo"), workers=workers, command="steelyard demo")


@app.command()
def study(
    study: Annotated[Path, typer.Argument(help="A study file (YAML).", metavar="STUDY.yaml")],
    set_: Settings = [],  # noqa: B006
    out: Out = None,
    executor: Annotated[str, typer.Option(help="local or ray.")] = "local",
    workers: Workers = None,
) -> None:
    """Run a study, or go on with a stopped one: floor, arms, controls, ceiling, report."""
    from steelyard.errors import ConfigError

    if executor not in ("local", "ray"):
        raise ConfigError(f"`--executor` must be local or ray, got {executor!r}.")
    sets = " ".join(f"--set {entry}" for entry in set_)
    command = " ".join(part for part in ("steelyard study", str(study.name), sets) if part)
    _study(study, out, overrides=set_, executor=executor, workers=workers, command=command)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(metavar="STUDY.yaml|DATA", help="A study, or questions.")],
    selection: Annotated[
        str, typer.Option(help="File with id, label or targets, weight; or an arm of the study.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    student: Annotated[
        str, typer.Option(help="Student settings as YAML, for DATA.")
    ] = "{kind: classifier, model: minilm}",
    seed: Annotated[int, typer.Option(help="Of the splits and of training.", min=0)] = 0,
    set_: Settings = [],  # noqa: B006
) -> None:
    """Train the student on a selection and keep the model, in Hugging Face's format."""
    from steelyard.cli.models import train_model

    train_model(data, selection, out, student, seed, set_)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Rows with their true labels.")],
    out: Annotated[Path | None, typer.Option(help="Write the scores as JSON.")] = None,
) -> None:
    """Score a trained model on labelled rows, with intervals."""
    from steelyard.cli.models import evaluate_model

    evaluate_model(model, data, out)


@app.command()
def report(run: Annotated[Path, typer.Argument(metavar="RUN_DIR")]) -> None:
    """Write the report of a finished study anew from its results.json."""
    from steelyard.report import terminal_table, write
    from steelyard.why import read_results

    results = read_results(run)
    _print(terminal_table(results))
    print(f"report: {write(results, run)}")


@app.command()
def why(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR")],
    artifact: Annotated[str | None, typer.Argument(help="Part of a role or name.")] = None,
) -> None:
    """Say what made each stored result, and why it would be made again."""
    from steelyard.cli.why import print_why

    print_why(run, artifact)


def run() -> None:
    """The entry point: errors become one line, signals an exit code."""
    signal.signal(signal.SIGTERM, _stop)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app(standalone_mode=True)
    except SteelyardError as error:
        if _state["verbose"] or "-v" in sys.argv:
            raise
        print(f"error: {_one_line(str(error))}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(130)
    except Stopped as stopped:
        _say_stopped()
        sys.exit(128 + stopped.signal)


def _study(what: Any, out: Path | None, **options: Any) -> None:
    from steelyard.cli.progress import Progress
    from steelyard.conduct import study
    from steelyard.report import terminal_table

    with Progress() as watch:
        result = study(what, out, watch=watch, **options)
    _print(terminal_table(result.results))
    for warning in result.results["warnings"]:
        print(f"note: {warning}")
    print(f"report: {result.report}")


def _print(table: Any) -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else 100
    Console(width=width).print(table)


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


def _say_stopped() -> None:
    print("\nStopped. What is done is stored; the same command goes on from here.", file=sys.stderr)


def _one_line(text: str) -> str:
    return " ".join(text.split())
