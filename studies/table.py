"""One table over finished studies, as Markdown: `python studies/table.py runs/*`.

Scores and PGR are as in each study's results.json. The last lines compare arms over data sets:
Wilcoxon signed-rank tests of arm against naive, and of filter and weighting against controls.
"""

import json
import sys
from pathlib import Path
from typing import Any

from steelyard.evaluation import wilcoxon_over_datasets

COLUMNS = ("naive", "majority", "filter", "reweigh", "hierarchical", "filter_hierarchical")
PAIRS = (
    ("majority", "naive"),
    ("filter", "naive"),
    ("reweigh", "naive"),
    ("filter", "majority"),
    ("filter", "random_keep"),
    ("reweigh", "shuffled_weights"),
    ("hierarchical", "majority"),
    ("filter_hierarchical", "majority"),
    ("filter_hierarchical", "random_keep.filter_hierarchical"),
)


def main(folders: list[Path]) -> None:
    studies = [json.loads((folder / "results.json").read_text()) for folder in folders]
    names = [*COLUMNS, "random_keep"]
    print(f"| study | metric | floor | {' | '.join(names)} | ceiling |")
    print(f"| --- | --- | --- | {' | '.join('---' for _ in names)} | --- |")
    for study in studies:
        cells = [cell(arm(study, name)) for name in names]
        ends = [f"{study[end]['value']:.3f}" for end in ("weak", "ceiling")]
        row = [study["study"], study["metric"], ends[0], *cells, ends[1]]
        print(f"| {' | '.join(row)} |")
    print()
    for first, second in PAIRS:
        print(compare(studies, first, second))


def arm(study: dict[str, Any], name: str) -> dict[str, Any] | None:
    """An arm, or the control of `filter` where there are several."""
    arms: dict[str, Any] = study["arms"]
    found: dict[str, Any] | None = arms.get(name) or arms.get(f"{name}.filter")
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
    main([Path(argument) for argument in sys.argv[1:]])
