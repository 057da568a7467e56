"""`steelyard report`: write the report of a finished study again, or print its table."""

from typing import Annotated

import typer

from steelyard.cli.options import RunFolder
from steelyard.cli.terminal import print_results
from steelyard.errors import ConfigError

EXAMPLE = ("steelyard report runs/demo", "docs/study.md")
FORMATS = ("html", "csv", "latex")


def report(
    run: RunFolder,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="What is made: `html` writes report.html and report.md; `csv` and `latex` print "
            "the table and nothing else.",
        ),
    ] = "html",
) -> None:
    """Write the report of a finished study again, from its results.json."""
    from steelyard.report import write_study_report
    from steelyard.report.study_export import study_csv, study_latex
    from steelyard.studies.results_file import read_results

    if format_ not in FORMATS:
        raise ConfigError(f"`--format` must be {' or '.join(FORMATS)}, got {format_!r}.")
    results = read_results(run)
    if format_ != "html":
        print(study_csv(results) if format_ == "csv" else study_latex(results), end="")
        return
    print_results(results)
    print(f"report: {write_study_report(results, run)}")
