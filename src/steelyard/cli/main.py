"""The command line: registers the commands, and turns errors and signals into exit codes.

Each command is a file of its own; what is heavy is imported when a command runs.
"""

import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer

from steelyard.cli import compare, demo, evaluate, generate, label, report, study, train, weigh, why
from steelyard.cli.options import Command, Group, epilog
from steelyard.cli.terminal import replace_unprintable
from steelyard.errors import SteelyardError, Stopped, printable
from steelyard.extras import missing_extra

VERBOSE = ("-v", "--verbose")
Misused: Any = typer.BadParameter.__base__
"""A command line that cannot be read. Its home is `click`, or Typer itself from 0.20 on."""
FIXES = {
    errno.ENOSPC: "make room and run the same command again",
    errno.EDQUOT: "make room and run the same command again",
    errno.EROFS: "give a folder that can be written",
    errno.EACCES: "give a folder that can be written",
    errno.EPERM: "give a folder that can be written",
    errno.ENAMETOOLONG: "give a shorter path",
}
"""Failures of the machine that the user can correct, and how."""
STOPPED = {
    "weigh": "Nothing was written.",
    "evaluate": "Nothing was written.",
    "train": "The same command resumes training from the last checkpoint.",
}
"""What is true of a command that was stopped; the others keep what is done."""

app = typer.Typer(
    name="steelyard",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out which labels and labelers you can trust, and train a strong model on labels "
    "from weak supervisors.",
    epilog=epilog("steelyard weigh votes.csv", "README.md"),
)


def _register(function: Callable[..., None], example: tuple[str, str]) -> None:
    app.command(cls=Command, epilog=epilog(*example))(function)


_register(demo.demo, demo.EXAMPLE)
_register(study.study, study.EXAMPLE)
_register(train.train, train.EXAMPLE)
_register(evaluate.evaluate, evaluate.EXAMPLE)
_register(generate.generate, generate.EXAMPLE)
_register(label.label, label.EXAMPLE)
_register(weigh.weigh, weigh.EXAMPLE)
_register(report.report, report.EXAMPLE)
_register(compare.compare, compare.EXAMPLE)
_register(why.why, why.EXAMPLE)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"steelyard {version('steelyard')}")
        raise typer.Exit()


@app.callback()
def main(
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Show the traceback of an error."),
    ] = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "-V",
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Options that all commands share; `run` reads --verbose wherever it stands."""


def run() -> None:
    """The entry point: errors become one line, signals an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    replace_unprintable()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # our error line reports its retries
    arguments = [argument for argument in sys.argv[1:] if argument not in VERBOSE]
    verbose = len(arguments) < len(sys.argv) - 1
    try:
        with _leading() as leads:
            given = arguments or ["--help"]
            code = app(given, prog_name="steelyard", standalone_mode=False) if leads else 0
        sys.exit(code)
    except (SteelyardError, Misused, OSError, ModuleNotFoundError) as error:
        text = _message(error, arguments)
        if verbose or text is None:
            raise
        _fail(text)
    except Stopped as stopped:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one changes no exit code
            signal.signal(number, signal.SIG_IGN)
        state = "Finished work is stored; run the same command again to continue."
        print(f"\nStopped. {STOPPED.get(arguments[0], state)}", file=sys.stderr)
        sys.exit(128 + stopped.signal)


def _leading() -> AbstractContextManager[bool]:
    """Whether this process runs the command; those that a launcher adds train with it."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return nullcontext(True)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP advises on how it is called
    from steelyard.models.processes import lead

    return lead()


def _message(error: Any, arguments: list[str]) -> str | None:
    """The line that is shown to the user; None for an error that is not theirs to correct."""
    if isinstance(error, SteelyardError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        missing = missing_extra(f"`steelyard {arguments[0]}`", error.name)
        return None if missing is None else str(missing)
    if isinstance(error, Misused):
        typed = shlex.join(["steelyard", *arguments])
        return f"{error.format_message().rstrip('.')}; got `{typed}`. `-h` shows the options."
    if error.errno not in FIXES:
        return None
    path = f"{error.filename}: " if error.filename else ""
    return f"{path}{error.strerror}; {FIXES[error.errno]}."


def _fail(text: str) -> NoReturn:
    line = " ".join(part.strip() for part in text.splitlines())
    print(f"error: {printable(line)}", file=sys.stderr)
    sys.exit(2)


def _stop(number: int, _: object) -> None:
    raise Stopped(number)
