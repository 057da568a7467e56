"""What the commands share: options, how help is shown, the first line of progress."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from steelyard.errors import ConfigError

STUDY_HELP = "The study file to run, in YAML."


class Command(TyperCommand):
    """A command whose help shows plain types, and none behind flags, which take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_flag_types(super().get_params(ctx))


class Group(TyperGroup):
    """The commands together; flags are shown as in Command."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_flag_types(super().get_params(ctx))


def _without_flag_types(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.param_type_name == "argument" and param.nargs == -1:
            param.display_type = lambda _: "<paths>"  # not <list[Path]>
    return params


def epilog(example: str, page: str) -> str:
    """The last lines of a command's help: one example, and the page that explains more.

    Args:
        example: a whole command line.
        page: file of the documentation.
    """
    return f"Example: {example}\n\nDocumentation: {page}"


def named_column(text: str) -> tuple[str, str]:
    """The parts of `--column NAME=COLUMN`.

    Raises:
        ConfigError: it has another form.
    """
    name, equals, column = text.partition("=")
    if not equals or not name or not column:
        raise ConfigError(f"`--column` takes NAME=COLUMN, such as text=sentence; got {text!r}.")
    return name, column


StudyFile = Annotated[Path, typer.Argument(help=STUDY_HELP, metavar="STUDY.yaml")]
RunFolder = Annotated[
    Path,
    typer.Argument(help="The folder of a finished study (its --out folder).", metavar="RUN_DIR"),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="How many jobs run at the same time, each in its own process. "
        "The default is 2, or one for each GPU.",
    ),
]
Settings = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override one setting of the study file, such as student.epochs=2. "
        "The option may be repeated.",
    ),
]
VotesFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="VOTES",
        help="The file of votes: one column per voter, rows of id, voter and answer, nested "
        "JSON lines, or an export of an annotation tool; - is the standard input. With "
        "several files, the name of a file is the voter of rows that name none.",
    ),
]
VotesColumns = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=COLUMN",
        help="Read id, voter, answer, query, probabilities or reason from a column of another "
        "name, such as voter=worker or answer=response.label; id=# numbers the rows. The "
        "option may be repeated.",
    ),
]
Voters = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="The only voters that count, separated by commas, such as ann,bob. In a file with "
        "one column per voter, these columns.",
    ),
]
Without = Annotated[
    list[str],
    typer.Option(metavar="NAME", help="Leave out a voter or a column. The option may be repeated."),
]
Abstain = Annotated[
    list[str],
    typer.Option(
        metavar="VALUE",
        help="Read an answer as an abstention, such as n/a or -1. The option may be repeated.",
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="The character between the cells of a CSV file, or tab. By default it is found.",
    ),
]
