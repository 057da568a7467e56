"""`steelyard compare`: arms over several data sets, or two runs on the same test rows."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelyard.errors import ConfigError

if TYPE_CHECKING:
    from steelyard.studies.compare_datasets import ArmOverDatasets
    from steelyard.studies.compare_versions import Version

EXAMPLE = ("steelyard compare runs/sst2 runs/trec runs/ag-news --unit pgr", "docs/study.md")
AGAINST, UNITS = ("naive", "majority", "gold_only", "control"), ("points", "pgr")


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN_DIR...",
            help="Folders of finished studies, or their results.json: of different data sets, or "
            "two of the same test rows.",
        ),
    ],
    against: Annotated[
        str,
        typer.Option(
            metavar="|".join(AGAINST),
            help="What each arm is compared with, over data sets; `control` is its own control.",
        ),
    ] = "naive",
    unit: Annotated[
        str,
        typer.Option(
            metavar="|".join(UNITS),
            help="Unit of the differences: `points` of the score, for studies of one metric, or "
            "`pgr`: shares of the gap.",
        ),
    ] = "points",
    arms: Annotated[
        str,
        typer.Option(metavar="NAME,NAME", help="Arms to compare; the default is all of them."),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the comparison as JSON.")
    ] = None,
) -> None:
    """Compare arms over several data sets, or two runs on the same test rows, paired."""
    from steelyard.studies.results_file import read_results

    for option, value, choices in (("against", against, AGAINST), ("unit", unit, UNITS)):
        if value not in choices:
            raise ConfigError(f"`--{option}` must be {' or '.join(choices)}, got {value!r}.")
    if len(runs) < 2:
        raise ConfigError("`compare` takes at least two runs, got 1; give another RUN_DIR.")
    results = [read_results(run) for run in runs]
    rows = [result["data"].get("test_rows") for result in results]
    names = [result["data"].get("name") for result in results]
    if len(runs) == 2 and (rows[0] == rows[1] is not None or names[0] == names[1] is not None):
        compared = _versions(runs, results)
    else:
        compared = _datasets(results, against, unit, [a for a in arms.split(",") if a])
    if out is not None:
        from steelyard.io.atomic import write_text

        write_text(out, json.dumps(compared, indent=1))


def _datasets(results: Sequence[Any], against: str, unit: Any, arms: list[str]) -> Any:
    from steelyard.studies.compare_datasets import compare_datasets

    compared = compare_datasets(results, against, unit, arms)
    what = "points of the score" if unit == "points" else "shares of the gap"
    head = ("arm", "sets", "mean [95 %]", "p (Holm)", "tau", "I2", "another set", "Wilcoxon p")
    print(f"each arm less {against}, {what}, {len(results)} data sets")
    _print_table(head, [_over_cells(row, unit) for row in compared])
    print()
    effects = [(row.arm, e) for row in compared for e in row.effects]
    _print_table(
        ("arm", "study", "effect", "error", ""),
        [
            (arm, e.study, _number(e.value, unit), _number(e.error, unit).lstrip("+"), e.note)
            for arm, e in effects
        ],
    )
    for row in compared:
        for study, reason in row.skipped:
            print(f"note: `{row.arm}`, {study}: {reason}")
    return [asdict(row) for row in compared]


def _over_cells(row: "ArmOverDatasets", unit: str) -> tuple[str, ...]:
    whole = row.summary
    if whole is None:
        return (row.arm, str(len(row.effects)), "n/a: fewer than two sets", *[""] * 5)
    return (
        row.arm,
        str(whole.datasets),
        _span(whole.mean, unit),
        f"{row.p_holm:.3f}",
        _number(whole.tau2**0.5, unit).lstrip("+"),
        f"{whole.i2:.0%}",
        "n/a" if whole.prediction is None else _span(whole.prediction, unit, False),
        "n/a" if whole.wilcoxon is None else f"{whole.wilcoxon:.3f}",
    )


def _versions(runs: Sequence[Path], results: Sequence[Any]) -> Any:
    from steelyard.studies.compare_versions import compare_versions
    from steelyard.studies.predictions_file import PREDICTIONS, read_predictions

    metrics = [result["metric"] for result in results]
    if metrics[0] != metrics[1]:
        raise ConfigError(
            f"Two runs of one data set must have one metric, got {metrics[0]} and {metrics[1]}; "
            "set `metric` in one of them and run it again."
        )
    folders = [run.parent if run.is_file() else run for run in runs]
    tables = [read_predictions(folder / PREDICTIONS) for folder in folders]
    compared, skipped = compare_versions(tables[0], tables[1], metrics[0])
    print(f"{runs[1]} less {runs[0]}: {metrics[0]}, paired by seed and test row")
    head = ("arm", "first", "second", "difference [95 %]", "p (Holm)", "detectable")
    _print_table(head, [_version_cells(row) for row in compared])
    for arm, reason in skipped:
        print(f"note: `{arm}`: {reason}")
    return [asdict(row) for row in compared]


def _version_cells(row: "Version") -> tuple[str, ...]:
    part = row.difference
    detectable = "n/a" if part.detectable is None else f"{part.detectable:.3f}"
    difference = f"{part.difference:+.3f} [{part.low:.3f}, {part.high:.3f}]"
    p = f"{row.p_holm:.3f}"
    return (row.arm, f"{row.first:.3f}", f"{row.second:.3f}", difference, p, detectable)


def _number(value: float, unit: str) -> str:
    return f"{value:+.1f}" if unit == "points" else f"{value:+.2f}"


def _span(span: Any, unit: str, with_value: bool = True) -> str:
    low, high = (_number(x, unit).lstrip("+") for x in (span.low, span.high))
    return f"{_number(span.value, unit)} [{low}, {high}]" if with_value else f"[{low}, {high}]"


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from steelyard.report.formats import plain

    texts = [[plain(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    for row in texts:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
