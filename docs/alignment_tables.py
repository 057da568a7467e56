"""Tables of results.md about alignment tasks, from studies/results."""

from typing import Any

from page_parts import bounds, percent, row_of, span, table_head

ALIGNED = ("naive", "majority", "filter_balanced", "refine")
STRATEGIES = ("naive", "balanced", "slice_balanced", "filter_balanced", "refine", "refine_gold")
ACCURACY = "accuracy"


def by_every_metric(studies: list[dict[str, Any]]) -> str:
    """Floor, arms and ceiling by every metric and on every test set of each study."""
    rows = []
    for study in studies:
        arms = {name: study["arms"].get(name) for name in ALIGNED}
        scores = {name: arm and arm["score"] for name, arm in arms.items()}
        main = {**study, "arms": scores, "pgr": {n: a and a["pgr"] for n, a in arms.items()}}
        sets = {"own": {study["metric"]: main, **study["further_metrics"]}}
        sets |= {name: part["metrics"] for name, part in study["test_sets"].items()}
        for name, metrics in sets.items():
            for metric, part in metrics.items():
                rows.append(row_of(study["study"], name, metric, *_by_metric(part)))
    head = ("study", "test set", "metric", "floor", *ALIGNED, "gold_only", "ceiling", "best PGR")
    return "\n".join([*table_head(*head), *rows])


def _by_metric(part: dict[str, Any]) -> list[str]:
    if part.get("reason"):
        return [part["reason"], *[""] * (len(ALIGNED) + 3)]
    shown = [part["weak"], *(part["arms"].get(name) for name in ALIGNED)]
    shown += [part["references"].get("gold_only"), part["ceiling"]]
    gaps = {name: part["pgr"].get(name) for name in ALIGNED}
    present = {name: gap for name, gap in gaps.items() if gap}
    best = max(present, key=lambda name: float(present[name]["value"]), default="")
    text = f"{best} {percent(present[best])} % [{bounds(present[best])}]" if best else "n/a"
    return [*("" if value is None else span(value) for value in shown), text]


def strategies(studies: list[dict[str, Any]]) -> str:
    """Strategies by task: gains over the majority, and PGR by the metric that matters and by
    accuracy."""
    names = [study["study"] for study in studies]
    present = [name for name in STRATEGIES if any(name in study["arms"] for study in studies)]
    gains, gaps = [], []
    for name in present:
        arms = [study["arms"].get(name) for study in studies]
        gains.append(row_of(name, *("" if arm is None else _gain(arm) for arm in arms)))
        cells = (_gaps(study, name) if name in study["arms"] else "" for study in studies)
        gaps.append(row_of(name, *cells))
    best = [_best(study, present, main=True) for study in studies]
    gaps.append(row_of("best by the metric that matters", *best))
    gaps.append(row_of("best by accuracy", *(_best(s, present, main=False) for s in studies)))
    metrics = row_of("metric that matters", *(study["metric"] for study in studies))
    return "\n".join(
        [
            *(*table_head("minus the majority", *names), metrics, *gains, ""),
            *(*table_head("PGR, and PGR by accuracy", *names), *gaps),
        ]
    )


def _gain(arm: dict[str, Any]) -> str:
    paired = arm["vs_majority"]
    return "" if paired is None else "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**paired)


def _gaps(study: dict[str, Any], name: str) -> str:
    """The gap that an arm recovers by both metrics; n/a where there is no gap."""
    of_accuracy = study["further_metrics"].get(ACCURACY)
    by_accuracy = None if of_accuracy is None else of_accuracy["pgr"].get(name)
    both = [study["arms"][name]["pgr"], *([by_accuracy] if of_accuracy else [])]
    return ", ".join("n/a" if gap is None else f"{percent(gap)} %" for gap in both)


def _best(study: dict[str, Any], names: list[str], *, main: bool) -> str:
    """The arm with the highest mean score; accuracy may be the metric that matters."""
    if main or study["metric"] == ACCURACY:
        scores = {n: study["arms"][n]["score"] for n in names if n in study["arms"]}
    else:
        of_accuracy = study["further_metrics"].get(ACCURACY, {"arms": {}})["arms"]
        scores = {n: of_accuracy[n] for n in names if n in of_accuracy}
    known = {name: score["value"] for name, score in scores.items() if score}
    sign = -1 if main and study.get("lower_is_better") else 1
    return max(known, key=lambda name: sign * known[name], default="")
