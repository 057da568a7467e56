"""Commands. Each parses, calls and prints; heavy modules are imported when a command runs."""

import errno
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from steelyard.errors import ConfigError, SteelyardError, Stopped

app = typer.Typer(
    name="steelyard",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train strong models on labels from weak supervisors, and weigh how far each label can "
    "be trusted.",
)
VERBOSE = ("-v", "--verbose")
Misused: Any = typer.BadParameter.__base__
"""A command line that cannot be read. Its home is `click`, or Typer itself from 0.20 on."""
NO_ROOM = {
    errno.ENOSPC: "make room and run the same command again",
    errno.EDQUOT: "make room and run the same command again",
    errno.EROFS: "give a folder that can be written",
    errno.EACCES: "give a folder that can be written",
    errno.EPERM: "give a folder that can be written",
    errno.ENAMETOOLONG: "give a shorter path",
}
"""Failures of the machine that the user can mend, and how."""

Out = Annotated[Path | None, typer.Option(help="Folder of results, report and store.")]
Workers = Annotated[
    int | None, typer.Option(help="Jobs at a time, 1 or more; by default 2, or 1 with a GPU.")
]
Settings = Annotated[
    list[str], typer.Option("--set", help="Override a setting, such as student.epochs=2.")
]


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show tracebacks.")] = False,
) -> None:
    """Options that all commands share; `run` reads them wherever they stand."""


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
    seed: Annotated[int, typer.Option(help="Of the splits and of training, 0 or more.")] = 0,
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
def label(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Questions; labels are not read.")],
    supervisor: Annotated[
        list[str],
        typer.Option(help="File of a supervisor's settings, or the settings; repeatable."),
    ],
    out: Annotated[Path, typer.Option(help="File of votes, .jsonl.")],
    labelled: Annotated[
        Path | None, typer.Option(help="Rows with true labels, for supervisors that are trained.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="classification, multiple_choice, preference or generation; else by the columns."
        ),
    ] = None,
    column: Annotated[
        list[str], typer.Option(help="Our name of a column and the file's, as text=sentence.")
    ] = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Of option orders, samples and training.")] = 0,
    ledger: Annotated[
        Path | None, typer.Option(help="File of paid answers; else beside the votes.")
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(help="Most requests of this run, repeated ones included.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="Most that all answers may cost, earlier ones included.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Ask nothing; say how many queries, tokens and what price."),
    ] = False,
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Ask again where answers differ; needs --budget.")
    ] = False,
    budget: Annotated[int | None, typer.Option(help="Queries in all, with --adaptive.")] = None,
) -> None:
    """Ask supervisors and write their votes; what was paid is kept, and never paid again."""
    from steelyard.cli.label import label_data

    label_data(
        data,
        supervisor,
        out,
        labelled=labelled,
        task=task,
        columns=column,
        seed=seed,
        ledger=ledger,
        max_requests=max_requests,
        max_cost=max_cost,
        dry_run=dry_run,
        adaptive=adaptive,
        budget=budget,
    )


@app.command()
def weigh(
    votes: Annotated[
        Path,
        typer.Argument(metavar="VOTES", help="Long, nested, or one column per voter."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for labels, voters, summary and report; runs/weigh-NAME."),
    ] = None,
    method: Annotated[
        list[str], typer.Option(help="An estimator's kind, or its settings as YAML; repeatable.")
    ] = ["hierarchical"],  # noqa: B006
    truth: Annotated[
        str | None, typer.Option(help="File of `id, truth`, or a column: judges, never estimates.")
    ] = None,
    gold: Annotated[
        str | None, typer.Option(help="The same, of answers that are held fixed and not judged.")
    ] = None,
    duplicates: Annotated[
        str, typer.Option(help="One voter twice on one item: error, last or mean.")
    ] = "error",
    answers: Annotated[
        str, typer.Option(help="closed, or open: number, text, json or slots.")
    ] = "closed",
    classes: Annotated[
        Path | None, typer.Option(help="JSON list of class names; else labels.json, or the votes'.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Largest error of the labels to keep; needs --truth.")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Probability that the error is larger; 0.1.")
    ] = None,
    by_query: Annotated[
        bool, typer.Option("--by-query", help="Each way of asking is a voter of its own.")
    ] = False,
) -> None:
    """Weigh votes: labels, how far each can be trusted, and whom to trust. Nothing is trained."""
    from steelyard.cli.weigh import weigh_votes
    from steelyard.io.rows import stem

    out = out or Path("runs") / f"weigh-{stem(votes)}"
    options = {"truth": truth, "gold": gold, "out": out, "duplicates": duplicates}
    more = {"answers": answers, "classes": classes, "alpha": alpha, "delta": delta}
    weigh_votes(votes, method, **options, **more, by_query=by_query)


@app.command()
def report(run: Annotated[Path, typer.Argument(metavar="RUN_DIR")]) -> None:
    """Write the report of a finished study anew from its results.json."""
    from steelyard.report import terminal_table, write_study_report
    from steelyard.studies.why import read_results

    results = read_results(run)
    _print(terminal_table(results))
    print(f"report: {write_study_report(results, run)}")


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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # its retries are said by our one line
    words = [word for word in sys.argv[1:] if word not in VERBOSE]
    verbose = len(words) < len(sys.argv) - 1
    try:
        sys.exit(app(words or ["--help"], prog_name="steelyard", standalone_mode=False))
    except (SteelyardError, Misused, OSError) as error:
        text = _mistake(error, words)
        if verbose or text is None:
            raise
        _fail(text)
    except Stopped as stopped:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one changes no exit code
            signal.signal(number, signal.SIG_IGN)
        stored = "What is done is stored; the same command goes on."
        said = "Nothing was written." if words[:1] == ["weigh"] else stored
        print(f"\nStopped. {said}", file=sys.stderr)
        sys.exit(128 + stopped.signal)


def _mistake(error: Any, words: list[str]) -> str | None:
    """What to tell the user; None for what is not the user's to mend."""
    if isinstance(error, SteelyardError):
        return str(error)
    if isinstance(error, Misused):
        got = shlex.join(["steelyard", *words])
        return f"{error.format_message().rstrip('.')}; got `{got}`. `-h` shows what there is."
    if error.errno not in NO_ROOM:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}; {NO_ROOM[error.errno]}."


def _fail(text: str) -> NoReturn:
    line = " ".join(part.strip() for part in text.splitlines())
    print(
        "error: " + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), file=sys.stderr
    )
    sys.exit(2)


def _study(what: Any, out: Path | None, **options: Any) -> None:
    from steelyard.cli.progress import Progress
    from steelyard.report import terminal_table
    from steelyard.studies.study import study

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
