"""Tables of results.md about votes of people and labelling functions, from benchmarks/results."""

import json
from pathlib import Path
from typing import Any

from page_parts import number, row_of, table_head

ROOT = Path(__file__).parents[1]
CROWD = ("majority", "dawid_skene", "one_coin", "glad", "mace", "hierarchical", "robust")
OTHERS = (
    *(("crowd-kit", name) for name in ("DawidSkene", "OneCoin", "GLAD", "MACE")),
    ("cleanlab", "CROWDLAB"),
)


def _crowd_results() -> Any:
    path = ROOT / "benchmarks" / "results" / "crowd.json"
    return json.loads(path.read_text(encoding="utf-8"))


def crowd_scores(key: str) -> str:
    """A score of every method on every set of votes."""
    methods = [("steelyard", name) for name in CROWD] + list(OTHERS)
    rows = []
    for entry in _crowd_results()["sets"]:
        values = (entry[side].get(name, {}).get(key) for side, name in methods)
        cells = [number(value) for value in values]
        name = entry["set"].removeprefix("crowd_") + (" *" if entry["undecided"] else "")
        rows.append(row_of(name, *cells))
    head = (name if side == "steelyard" else f"{side} {name}" for side, name in methods)
    return "\n".join([*table_head("set", *head), *rows])


def crowd_means() -> str:
    """Means over the sets, and the share of voters whose accuracy is in its range."""
    sets = _crowd_results()["sets"]
    rows = []
    for side, name in [*(("steelyard", name) for name in CROWD), *OTHERS]:
        measured = [entry[side].get(name, {}) for entry in sets]
        measured = [part for part in measured if "accuracy" in part]
        crowds = [
            e[side][name]
            for e in sets
            if e["set"].startswith("crowd_") and "accuracy" in e[side].get(name, {})
        ]
        with_voters = [part for part in crowds if part.get("voters")]
        inside = sum(part["in range"] for part in with_voters)
        voters = sum(part["voters"] for part in with_voters)
        cells = [
            str(len(measured)),
            number(_mean(part["accuracy"] for part in measured)),
            number(_mean(part["regret"] for part in measured)),
            number(max(part["regret"] for part in measured)),
            number(_mean(part["auroc"] for part in measured)),
            number(_mean(part["ece"] for part in crowds)),
            f"{inside / voters:.2f} of {voters}" if voters else "",
        ]
        rows.append(row_of(name if side == "steelyard" else f"{side} {name}", *cells))
    head = ("sets", "accuracy", "regret", "largest", "AUROC", "ECE, crowds", "voters in range")
    return "\n".join([*table_head("method", *head), *rows])


def wrench_scores() -> str:
    """Test scores on WRENCH, as published and of Steelyard."""
    entries = _crowd_results()["wrench"]
    names = [*CROWD]
    models = list(entries[0]["published"]) if entries else []
    rows = [
        row_of(
            f"{entry['set']}, {entry['metric'].split('(')[1].strip('.)').lower()}",
            *(number(entry["steelyard"][name]) for name in names),
            *(number(entry["published"][model]) for model in models),
        )
        for entry in entries
    ]
    return "\n".join([*table_head("test", *names, *(f"published {m}" for m in models)), *rows])


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
