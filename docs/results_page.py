"""results.md and the table in the README, from studies/results and benchmarks/results."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from alignment_tables import by_every_metric, strategies
from crowd_results import crowd_means, crowd_scores, wrench_scores
from page_parts import bounds, fill, percent, row_of, span, table_head
from steelyard.studies.compare_datasets import compare_datasets

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "studies" / "results"

FILTERS = (
    *("naive", "majority", "soft", "filter", "reweigh", "hierarchical", "filter_hierarchical"),
    "truth_filter",
)
BALANCED = ("majority", "balanced", "filter_per_class", "filter_balanced")
IN_README = ("naive", "majority", "refine", "refine_gold")
IN_README_STUDY = ("naive", "majority", "filter", "random_keep.filter", "balanced")
REFINED = ("naive", "majority", "filter_balanced", "refine", "random_keep.refine", "refine_gold")
CHOSEN_ON = ("sst2", "trec", "davidson_hate", "subj", "rotten_tomatoes")
"""As in studies/refine.py."""
AGAINST = (
    *(("refine", "naive"), ("refine", "majority"), ("refine", "gold_only"), ("refine", "control")),
    *(("refine_gold", "gold_only"), ("refine_gold", "majority"), ("refine_gold", "control")),
)
NEW = (
    *("two_stage", "selective", "co_supervised", "strong_to_strong", "crowdlab", "gold_confusions"),
    "refine",
)
NEW_AGAINST = (
    *((name, against) for name in NEW for against in ("majority", "gold_only")),
    *((name, "control") for name in ("two_stage", "selective", "co_supervised")),
)
TUNED = ("naive", "majority", "easy_to_hard", "gce", "elr", "refine", "refine_gold")
TUNED_AGAINST = (
    *(("easy_to_hard", "control"), ("gce", "majority"), ("elr", "majority")),
    *AGAINST,
)
ON_SETS = ("refine", "strategies", "finetuned")
"""Studies that studies/refine.py runs on 13 sets; their file has the name of the first set."""
FIRST_SET = "customer_reviews"
PAGE = ROOT / "docs" / "results.md"


def results_page() -> str:
    """The page with its tables filled in."""
    text = PAGE.read_text(encoding="utf-8")
    studies = kept_studies()
    alignment = [study for study in studies if "further_metrics" in study]
    others = [study for study in studies if study not in alignment]
    refined = [study for study in others if study["study"].startswith("refine-")]
    new = [study for study in others if study["study"].startswith("strategies-")]
    tuned = [study for study in others if study["study"].startswith("finetuned-")]
    balanced = [s for s in others if "balanced" in s["arms"]]
    for name, block in {
        "made": _made(studies),
        "filters": _tables([s for s in others if "filter" in s["arms"]], FILTERS),
        "balanced": _tables(balanced, BALANCED),
        "refined": _scores(refined, REFINED),
        "refined-gaps": _gaps(refined, REFINED),
        "refined-means": _means(_by_choice(refined), AGAINST),
        "new": _scores(new, NEW),
        "new-gaps": _gaps(new, NEW),
        "new-means": _means({"all": new}, NEW_AGAINST),
        "tuned": _scores(tuned, TUNED),
        "tuned-gaps": _gaps(tuned, TUNED),
        "tuned-means": _means(_by_choice(tuned), TUNED_AGAINST),
        "regret": _regret(),
        "alignment": by_every_metric(alignment),
        "strategies": strategies(alignment),
        "estimators": _estimators(studies),
        "crowd": crowd_scores("accuracy"),
        "crowd-means": crowd_means(),
        "wrench": wrench_scores(),
        "missing": _missing(studies),
    }.items():
        text = fill(text, name, block)
    return text


def readme_table() -> str:
    """Refined labels on the sets that no setting was chosen on and that have a gap to recover."""
    studies = [
        study
        for study in kept_studies()
        if study["study"].startswith("refine-")
        and study["study"].removeprefix("refine-") not in CHOSEN_ON
        and study["arms"]["refine"]["pgr"] is not None
    ]
    rows = []
    for study in studies:
        scores = [study["weak"], study["references"]["gold_only"]]
        scores += [study["arms"][name]["score"] for name in IN_README] + [study["ceiling"]]
        cells = [f"{score['value']:.3f}" for score in scores]
        rows.append(row_of(study["study"], study["metric"], *cells))
    means = [f"{name} {_mean_gain(studies, name)}" for name in IN_README if name != "majority"]
    head = table_head("study", "metric", "floor", "gold_only", *IN_README, "ceiling")
    mean = f"Mean share of the gap less the majority's, with 95 % intervals: {', '.join(means)}."
    return "\n".join([*head, *rows, "", mean])


def _mean_gain(studies: list[dict[str, Any]], arm: str) -> str:
    """Random-effects mean over the sets of an arm's PGR less the majority's, with its interval."""
    (compared,) = compare_datasets(studies, "majority", "pgr", (arm,))
    mean = compared.summary.mean if compared.summary is not None else None
    return "" if mean is None else f"{mean.value:+.2f} [{mean.low:+.2f}, {mean.high:+.2f}]"


def readme_study() -> str:
    """The table of one study, as `steelyard study` prints it."""
    study = json.loads((KEPT / "trec.json").read_text(encoding="utf-8"))
    rows = [row_of("weak supervisors (floor)", span(study["weak"]), "", "", "", "")]
    for name in IN_README_STUDY:
        arm = study["arms"][name]
        versus, gap = arm["vs_majority"], arm["pgr"]
        shown = "" if gap is None else f"{percent(gap)} % [{bounds(gap)}]"
        paired = "" if versus is None else f"{versus['difference']:+.3f}, p = {versus['p']:.3f}"
        cells = [span(arm["score"]), shown, paired]
        cells += [f"{100 * arm['mean_kept']:.0f} %", f"{arm['mean_label_accuracy']:.3f}"]
        rows.append(row_of(f"`{name}`", *cells))
    rows.append(row_of("ceiling", span(study["ceiling"]), "", "", "", ""))
    head = table_head("arm", "score", "PGR", "minus majority", "kept", "label accuracy")
    return "\n".join([*head, *rows])


def kept_studies() -> list[dict[str, Any]]:
    """What studies/keep.py kept, by name."""
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(KEPT.glob("*.json"))]
    return [part for part in kept if "study" in part]


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


def _file_of(name: str) -> str:
    """The study file, which those of studies/refine.py share."""
    kind = name.partition("-")[0]
    return f"{kind}-{FIRST_SET}" if kind in ON_SETS else name


def _scores(studies: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Scores of arms beside the references."""
    rows = []
    for study in studies:
        arms, references = study["arms"], study["references"]
        cells = [span(study["weak"]), span(references["gold_only"])]
        cells += [span(arms[name]["score"]) for name in columns]
        rows.append(row_of(study["study"], *cells, span(study["ceiling"])))
    head = table_head("study", "floor", "gold_only", *columns, "ceiling")
    return "\n".join([*head, *rows])


def _gaps(studies: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """The gap that each arm recovers."""
    rows = []
    for study in studies:
        gaps = (study["arms"][name]["pgr"] for name in columns)
        cells = ["" if gap is None else f"{percent(gap)} % [{bounds(gap)}]" for gap in gaps]
        rows.append(row_of(study["study"], *cells))
    return "\n".join([*table_head("PGR", *columns), *rows])


def _by_choice(studies: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Studies of studies/refine.py by whether settings were chosen on their set."""
    groups: dict[str, list[dict[str, Any]]] = {"not looked at": [], "chosen on": []}
    for study in studies:
        is_chosen = study["study"].partition("-")[2] in CHOSEN_ON
        groups["chosen on" if is_chosen else "not looked at"].append(study)
    return groups


def _means(groups: dict[str, list[dict[str, Any]]], pairs: tuple[tuple[str, str], ...]) -> str:
    """Differences over data sets, of each group of sets.

    In PGR over the sets that have a gap, in points of accuracy over all that have this metric.
    """
    rows = []
    for unit, digits in (("pgr", 2), ("points", 1)):
        for label, all_sets in groups.items():
            sets = [s for s in all_sets if unit == "pgr" or s["metric"] == "accuracy"]
            for arm, against in pairs:
                (compared,) = compare_datasets(sets, against, unit, (arm,)) if sets else (None,)
                if compared is None or compared.summary is None:
                    continue
                name = f"{arm} less {against}"
                rows.append(row_of(unit, name, label, *_over_sets(compared, digits)))
    head = ("unit", "difference", "sets", "number", "mean", "another set", "least", "p")
    return "\n".join([*table_head(*head), *rows])


def _over_sets(compared: Any, digits: int) -> list[str]:
    """Cells of a difference over data sets: how many, mean, prediction, least, p."""
    summary, values = compared.summary, [effect.value for effect in compared.effects]
    mean, predicted = summary.mean, summary.prediction
    form = f"{{:+.{digits}f}}"
    interval = f"[{form.format(mean.low)}, {form.format(mean.high)}]"
    another = "" if predicted is None else f"[{form}, {form}]".format(predicted.low, predicted.high)
    least = form.format(min(values))
    return [
        *(str(len(values)), f"{form.format(mean.value)} {interval}", another),
        *(least, f"{summary.p:.3f}"),
    ]


def _regret() -> str:
    """The arm that would be recommended on each set from the other sets, and what it loses."""
    path = KEPT / "regret.json"
    if not path.exists():
        return ""
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for key, label in (("all", "all"), ("votes_alone", "no true label is learned")):
        for part in kept["sets"]:
            of = part[key]
            gains = [f"{of['gain_over'].get(arm, 0):+.3f}" for arm in ("majority", "naive")]
            gold = of["gain_over"].get("gold_only")
            gains.append("" if gold is None else f"{gold:+.3f}")
            cells = [
                of["recommended"],
                of["best"],
                f"{of['regret']:.3f}",
                share_of(of["regret_pgr"]),
            ]
            rows.append(row_of(part["set"], label, *cells, *gains))
        mean = kept["means"][key]
        gains = [_gain(mean["gain_over"].get(arm)) for arm in ("majority", "naive", "gold_only")]
        regrets = [f"{mean['regret']:.3f}", f"{mean['regret_pgr']:.2f}"]
        rows.append(row_of("**mean**", label, "", "", *regrets, *gains))
    head = ("set", "among", "recommended", "best", "regret", "regret, PGR")
    return "\n".join([*table_head(*head, "over majority", "over naive", "over gold_only"), *rows])


def share_of(regret: float | None) -> str:
    """Regret as a share of the gap; nothing where the gap may be 0."""
    return "" if regret is None else f"{regret:.2f}"


def _gain(gain: dict[str, Any] | None) -> str:
    if gain is None:
        return ""
    low, high = gain["interval"]
    return f"{gain['mean']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _made(studies: list[dict[str, Any]]) -> str:
    rows = []
    for study in studies:
        data, costs = study["data"], study["costs"]
        sizes = [f"{data[part]:,}" for part in ("weak_train", "strong_train", "test")]
        minutes = sum(costs["seconds"].values()) / 60
        rows.append(
            row_of(
                f"[{study['study']}](../studies/{_file_of(study['study'])}.yaml)",
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
