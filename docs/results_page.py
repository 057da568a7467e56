"""results.md and the table in the README, from studies/results and benchmarks/results."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from page_parts import fill, row_of, table_head

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "studies" / "results"

FILTERS = (
    *("naive", "majority", "soft", "filter", "reweigh", "hierarchical", "filter_hierarchical"),
    "truth_filter",
)
BALANCED = ("majority", "balanced", "filter_per_class", "filter_balanced")
IN_README = (
    *("majority", "filter", "control of filter", "filter_hierarchical", "balanced"),
    "truth_filter",
)
IN_README_STUDY = ("naive", "majority", "filter", "random_keep.filter", "balanced")
CROWD = ("majority", "dawid_skene", "one_coin", "hierarchical")
CROWD_KIT = ("MajorityVote", "DawidSkene", "OneCoin")
PAGE = ROOT / "docs" / "results.md"


def results_page() -> str:
    """The page with its tables filled in."""
    text = PAGE.read_text(encoding="utf-8")
    studies = kept_studies()
    balanced = [study for study in studies if "balanced" in study["arms"]]
    for name, block in {
        "made": _made(studies),
        "filters": _tables([s for s in studies if "filter" in s["arms"]], FILTERS),
        "balanced": _tables(balanced, BALANCED),
        "estimators": _estimators(studies),
        "crowd": _crowd(),
        "missing": _missing(studies),
    }.items():
        text = fill(text, name, block)
    return text


def readme_table() -> str:
    """Scores of the studies that are kept, a few arms of each."""
    table = _table_module()
    studies = [study for study in kept_studies() if study["match"] == "steps"]
    text: str = table.score_table(studies, table.present(studies, IN_README))
    return text


def readme_study() -> str:
    """The table of one study, as `steelyard study` prints it."""
    study = json.loads((KEPT / "trec.json").read_text(encoding="utf-8"))
    rows = [row_of("weak supervisors (floor)", _span(study["weak"]), "", "", "", "")]
    for name in IN_README_STUDY:
        arm = study["arms"][name]
        versus, gap = arm["vs_majority"], arm["pgr"]
        shown = "" if gap is None else f"{_percent(gap)} % [{_bounds(gap)}]"
        paired = "" if versus is None else f"{versus['difference']:+.3f}, p = {versus['p']:.3f}"
        cells = [_span(arm["score"]), shown, paired]
        cells += [f"{100 * arm['mean_kept']:.0f} %", f"{arm['mean_label_accuracy']:.3f}"]
        rows.append(row_of(f"`{name}`", *cells))
    rows.append(row_of("ceiling", _span(study["ceiling"]), "", "", "", ""))
    head = table_head("arm", "score", "PGR", "minus majority", "kept", "label accuracy")
    return "\n".join([*head, *rows])


def _span(span: dict[str, float]) -> str:
    return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**span)


def _percent(gap: dict[str, float]) -> str:
    return f"{100 * gap['value']:.0f}"


def _bounds(gap: dict[str, float]) -> str:
    return f"{100 * gap['low']:.0f}, {100 * gap['high']:.0f}"


def kept_studies() -> list[dict[str, Any]]:
    """What studies/keep.py kept, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(KEPT.glob("*.json"))]


def _table_module() -> ModuleType:
    """studies/table.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("table", ROOT / "studies" / "table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tables(studies: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    table = _table_module()
    controls = [f"{table.CONTROL}{name}" for name in columns if name.startswith("filter")]
    names = table.present(studies, (*columns, *controls))
    arms = [name for name in names if name != "truth_filter"]
    parts = [
        table.score_table(studies, names),
        table.gap_table(studies, names),
        table.difference_table(studies, arms),
        "\n".join(table.comparisons(studies, names)),
    ]
    return "\n\n".join(part for part in parts if part)


def _made(studies: list[dict[str, Any]]) -> str:
    rows = []
    for study in studies:
        data, costs = study["data"], study["costs"]
        sizes = [f"{data[part]:,}" for part in ("weak_train", "strong_train", "test")]
        minutes = sum(costs["seconds"].values()) / 60
        rows.append(
            row_of(
                f"[{study['study']}](../studies/{study['study']}.yaml)",
                *sizes,
                str(len(study["seeds"])),
                f"{costs['trainings']}",
                f"{minutes:.0f}",
                f"{study['made']['date']}, {study['made']['commit']}",
            )
        )
    head = ("study", "labelled", "unlabelled", "test", "seeds", "trainings", "minutes", "made")
    return "\n".join([*table_head(*head), *rows])


def _missing(studies: list[dict[str, Any]]) -> str:
    """Studies of the repository without a kept result."""
    kept = {study["study"] for study in studies}
    files = sorted((ROOT / "studies").glob("*.yaml"))
    links = [f"[{f.stem}](../studies/{f.name})" for f in files if f.stem not in kept]
    return ", ".join(links) or "none"


def _estimators(studies: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for study in studies for name in study["reliability"]))
    rows = []
    for study in studies:
        cells = []
        for name in names:
            known = study["reliability"].get(name)
            auroc = known and known["auroc"]
            cells.append("" if auroc is None else f"{auroc:.3f} / {known['ece']:.3f}")
        rows.append(row_of(study["study"], *cells))
    return "\n".join([*table_head("AUROC / ECE", *names), *rows])


def _crowd() -> str:
    path = ROOT / "benchmarks" / "results" / "crowd.json"
    rows = []
    for entry in json.loads(path.read_text(encoding="utf-8"))["sets"]:
        ours, theirs = entry["steelyard"], entry["crowd-kit"]
        cells = [f"{ours[name]['accuracy']:.3f}" for name in CROWD]
        cells += [f"{theirs[name]['accuracy']:.3f}" for name in CROWD_KIT]
        rows.append(row_of(entry["set"].removeprefix("crowd_"), *cells))
    names = ("majority", "Dawid-Skene", "one-coin")
    head = table_head("set", *CROWD, *(f"crowd-kit {name}" for name in names))
    return "\n".join([*head, *rows])
