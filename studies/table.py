"""Tables over finished studies, as Markdown: `python studies/table.py runs/*`.

Each argument is the folder of a study, or a file that `studies/keep.py` wrote. `--arms
majority,balanced` in front names the arms to show. Scores, PGR with its 95 % interval, and paired
differences with their two-sided p; the last lines compare arms over data sets with Wilcoxon
signed-rank tests.
"""

import json
import sys
from pathlib import Path
from typing import Any

from steelyard.evaluation import wilcoxon_over_datasets

Results = dict[str, Any]

CONTROL = "control of "
COLUMNS = (
    *("naive", "majority", "filter", "reweigh", "hierarchical", "filter_hierarchical"),
    f"{CONTROL}filter",
)
VERSUS = ("vs_majority", "vs_control")
PAIRS = (
    *((name, "naive") for name in ("majority", "filter", "reweigh")),
    *((name, "majority") for name in ("filter", "hierarchical", "filter_hierarchical")),
    *((name, "majority") for name in ("balanced", "filter_balanced")),
    *((name, f"{CONTROL}{name}") for name in ("filter", "reweigh", "filter_hierarchical")),
    *((name, f"{CONTROL}{name}") for name in ("filter_per_class", "filter_balanced")),
)


def main(arguments: list[str]) -> None:
    columns: tuple[str, ...] = COLUMNS
    if arguments[0] == "--arms":
        columns, arguments = tuple(arguments[1].split(",")), arguments[2:]
    studies = [read(Path(argument)) for argument in arguments]
    names = present(studies, columns)
    print(score_table(studies, names), gap_table(studies, names), sep="\n\n")
    print()
    print(difference_table(studies, names), "\n".join(comparisons(studies, names)), sep="\n\n")


def read(path: Path) -> Results:
    """The results of a study: its folder, or a file."""
    file = path / "results.json" if path.is_dir() else path
    results: Results = json.loads(file.read_text(encoding="utf-8"))
    return results


def present(studies: list[Results], names: tuple[str, ...]) -> list[str]:
    """The arms, of those named, that at least one study has."""
    return [name for name in names if any(arm(study, name) for study in studies)]


def arm(study: Results, name: str) -> Results | None:
    """An arm, or with "control of NAME" the control of one; None where the study lacks it."""
    arms: dict[str, Results] = study["arms"]
    if name.startswith(CONTROL):
        against = arms.get(name.removeprefix(CONTROL), {}).get("vs_control") or {}
        name = against.get("control", "")
    return arms.get(name)


def score_table(studies: list[Results], names: list[str]) -> str:
    """Mean scores over the seeds, floor first and ceiling last."""
    rows = [
        [
            *(study["study"], study["metric"], _score(study["weak"])),
            *(_score((arm(study, name) or {}).get("score")) for name in names),
            _score(study["ceiling"]),
        ]
        for study in studies
    ]
    return markdown(["study", "metric", "floor", *names, "ceiling"], rows)


def gap_table(studies: list[Results], names: list[str]) -> str:
    """PGR with its 95 % interval; "n/a" where there is none."""
    rows = [[study["study"], *(_gap(arm(study, name)) for name in names)] for study in studies]
    return markdown(["PGR", *names], rows)


def difference_table(studies: list[Results], names: list[str]) -> str:
    """Score less that of majority and less that of the arm's own control, each paired."""
    rows = [
        [study["study"], name, *(_difference(result.get(key)) for key in VERSUS)]
        for study in studies
        for name in names
        if name != "majority" and not name.startswith(CONTROL)
        if (result := arm(study, name)) is not None
    ]
    return markdown(["study", "arm", "less majority", "less its own control"], rows)


def comparisons(studies: list[Results], names: list[str]) -> list[str]:
    """A line for each pair of arms: mean difference over the data sets, and Wilcoxon's p."""
    return [
        line
        for first, second in PAIRS
        if {first, second.removeprefix(CONTROL)} <= set(names)
        for line in [_compare(studies, first, second)]
        if line
    ]


def _compare(studies: list[Results], first: str, second: str) -> str:
    pairs = [(arm(study, first), arm(study, second)) for study in studies]
    differences = [
        left["score"]["value"] - right["score"]["value"] for left, right in pairs if left and right
    ]
    if not differences:
        return ""
    better = sum(difference > 0 for difference in differences)
    mean = sum(differences) / len(differences)
    p = wilcoxon_over_datasets(differences)
    return (
        f"* {first} against {second}: {mean:+.3f} on average, better on {better} of "
        f"{len(differences)} data sets, Wilcoxon p = {p:.2f}"
    )


def _score(span: dict[str, float] | None) -> str:
    return "" if span is None else f"{span['value']:.3f}"


def _gap(result: Results | None) -> str:
    if result is None:
        return ""
    gap = result["pgr"]
    if gap is None:
        return "n/a"
    value, low, high = (f"{100 * gap[key]:.0f}" for key in ("value", "low", "high"))
    return f"{value} % [{low}, {high}]"


def _difference(paired: dict[str, float] | None) -> str:
    if paired is None:
        return ""
    return "{difference:+.3f} [{low:+.3f}, {high:+.3f}], p = {p:.3f}".format(**paired)


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
