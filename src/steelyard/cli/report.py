"""`steelyard report`: write the report of a finished study again."""

from steelyard.cli.options import RunFolder
from steelyard.cli.terminal import print_results

EXAMPLE = ("steelyard report runs/demo", "docs/study.md")


def report(run: RunFolder) -> None:
    """Write the report of a finished study again, from its results.json."""
    from steelyard.report import write_study_report
    from steelyard.studies.results_file import read_results

    results = read_results(run)
    print_results(results)
    print(f"report: {write_study_report(results, run)}")
