"""Arms of studies with several supervisors: `python studies/several.py runs/several-*`.

Markdown. Scores, PGR and paired differences are as in each results.json: p is two-sided and of one
arm alone. The last table has the mean difference over the studies, and on how many it is above 0.
"""

import json
import sys
from pathlib import Path
from typing import Any

BASELINES = {"naive": "vs_naive", "majority": "vs_majority"}


def main(folders: list[Path]) -> None:
    studies = [json.loads((folder / "results.json").read_text()) for folder in folders]
    for study in studies:
        print(f"## {study['study']} ({study['metric']}, {len(study['seeds'])} seeds)\n")
        print(own_table(study), end="\n\n")
    print(table(["arm", *(f"mean less {name}" for name in BASELINES)], over_studies(studies)))


def own_table(study: dict[str, Any]) -> str:
    head = ["arm", "score", "PGR", *(f"less {name}, p" for name in BASELINES), "AUROC of doubt"]
    weak = [
        ["weak supervisors", span(study["weak"])],
        ["weak ensemble", span(study["weak_ensemble"])],
    ]
    rows = [
        [name, span(arm["score"]), span(arm["pgr"], 2), *versus(arm), doubts(arm)]
        for name, arm in study["arms"].items()
    ]
    ends = [["ceiling", span(study["ceiling"])]]
    return table(head, [row + [""] * (len(head) - len(row)) for row in (*weak, *rows, *ends)])


def span(value: dict[str, float] | None, digits: int = 3) -> str:
    if value is None:
        return "n/a"
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(
        *(value[key] for key in ("value", "low", "high")), d=digits
    )


def versus(arm: dict[str, Any]) -> list[str]:
    found = [arm[key] for key in BASELINES.values()]
    return [
        ""
        if one is None
        else f"{one['difference']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}], {one['p']:.3f}"
        for one in found
    ]


def doubts(arm: dict[str, Any]) -> str:
    """AUROC by 1 - largest probability, vacuity and expected entropy, as far as there are these."""
    return " / ".join(f"{judged['auroc']:.3f}" for judged in arm["doubt"].values())


def over_studies(studies: list[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for name in studies[0]["arms"]:
        cells = [name]
        for key in BASELINES.values():
            found = [study["arms"][name][key] for study in studies if name in study["arms"]]
            known = [one["difference"] for one in found if one is not None]
            better = sum(one > 0 for one in known)
            mean = sum(known) / max(len(known), 1)
            cells.append(f"{mean:+.3f}, above 0 on {better} of {len(known)}" if known else "")
        rows.append(cells)
    return rows


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
