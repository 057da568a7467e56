"""One table over finished studies, as Markdown: `python studies/table.py runs/*`.

`--arms majority,balanced` in front names the arms to show. Scores and PGR are as in each study's
results.json. The last lines compare arms over data sets: Wilcoxon signed-rank tests of arms
against naive and majority, and of filter and weighting against controls.
"""

import json
import sys
from pathlib import Path
from typing import Any

from steelyard.evaluation import wilcoxon_over_datasets

CONTROL = "control of "
COLUMNS = (
    *("naive", "majority", "filter", "reweigh", "hierarchical", "filter_hierarchical"),
    f"{CONTROL}filter",
)
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
    studies = [json.loads((Path(folder) / "results.json").read_text()) for folder in arguments]
    names = [name for name in columns if any(arm(study, name) for study in studies)]
    print(f"| study | metric | floor | {' | '.join(names)} | ceiling |")
    print(f"| --- | --- | --- | {' | '.join('---' for _ in names)} | --- |")
    for study in studies:
        cells = [cell(arm(study, name)) for name in names]
        ends = [f"{study[end]['value']:.3f}" for end in ("weak", "ceiling")]
        row = [study["study"], study["metric"], ends[0], *cells, ends[1]]
        print(f"| {' | '.join(row)} |")
    print()
    for first, second in PAIRS:
        shown = {first, second.removeprefix(CONTROL)} <= set(names)
        if shown and any(arm(study, first) and arm(study, second) for study in studies):
            print(compare(studies, first, second))


def arm(study: dict[str, Any], name: str) -> dict[str, Any] | None:
    """An arm, or the control of one."""
    arms: dict[str, Any] = study["arms"]
    if name.startswith(CONTROL):
        against = arms.get(name.removeprefix(CONTROL), {}).get("vs_control") or {}
        name = against.get("control", "")
    found: dict[str, Any] | None = arms.get(name)
    return found


def cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    gap = found["pgr"]
    shown = "" if gap is None else f" ({gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}])"
    return f"{found['score']['value']:.3f}{shown}"


def compare(studies: list[dict[str, Any]], first: str, second: str) -> str:
    """Mean difference over the data sets that have both arms, and its Wilcoxon p."""
    differences = []
    for study in studies:
        one, other = arm(study, first), arm(study, second)
        if one is not None and other is not None:
            differences.append(one["score"]["value"] - other["score"]["value"])
    better = sum(difference > 0 for difference in differences)
    mean = sum(differences) / len(differences)
    p = wilcoxon_over_datasets(differences)
    return (
        f"* {first} against {second}: {mean:+.3f} on average, better on {better} of "
        f"{len(differences)} data sets, Wilcoxon p = {p:.2f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
