"""Scores on the parts of the test rows that `data.slice` names, by every metric of the study."""

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation import mean_interval, paired_difference
from steelyard.evaluation.many_arms import holm
from steelyard.studies.results.best_arm import NAIVE
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.results.supervisor_rows import FLOOR
from steelyard.studies.training import CEILING

FEWEST = 10
"""Independent rows of a slice that has intervals."""
MOST = 50
"""Slices that are reported, the largest ones."""


def slice_scores(scores: StudyScores) -> dict[str, Any] | None:
    """By metric and slice: rows, and the scores of floor, arms and ceiling; None without slices.

    `vs_naive` of an arm is its paired difference to naive on the slice. Its `p_holm` is adjusted
    for all arms and slices of the metric. A slice of fewer than FEWEST independent rows has values
    without intervals and tests, and says so; one on which the metric is not defined has the reason.
    """
    sizes = Counter(name for name in scores.test.slices if name)
    if not sizes:
        return None
    names = sorted(name for name, _ in sizes.most_common(MOST))
    where = np.array(scores.test.slices)
    parts = {name: scores.of_slice(np.flatnonzero(where == name)) for name in names}
    metrics = {
        metric: {name: _of_slice(part, metric) for name, part in parts.items()}
        for metric in scores.run.study.named_metrics
    }
    for by_slice in metrics.values():
        _adjust(by_slice)
    return {"hidden": len(sizes) - len(names), "metrics": metrics}


def _of_slice(part: StudyScores, metric: str) -> dict[str, Any]:
    size: dict[str, Any] = {"rows": len(part.truth), "groups": part.independent, "reason": None}
    arms = [arm.name for arm in part.run.study.all_arms if part.students[arm.name]]
    models = [*([FLOOR] if part.has_floor else []), CEILING, *arms]
    try:
        if part.independent < FEWEST:
            entries = {name: _plain(part, metric, name) for name in models}
            few = f"{part.independent} independent rows: fewer than {FEWEST} have no interval."
            size["reason"] = few
        else:
            entries = {
                name: asdict(mean_interval(part.scores(metric, name)))
                | _against(part, metric, name)
                for name in models
            }
    except InputError as error:
        return {**size, "reason": str(error), "weak": None, "ceiling": None, "arms": {}}
    return {
        **size,
        "weak": entries.get(FLOOR),
        "ceiling": entries[CEILING],
        "arms": {name: entries[name] for name in arms},
    }


def _plain(part: StudyScores, metric: str, name: str) -> dict[str, Any]:
    return {"value": part.scores(metric, name).value, "low": None, "high": None}


def _against(part: StudyScores, metric: str, name: str) -> dict[str, Any]:
    """The difference of an arm to naive, `vs_naive`; nothing for other models and naive itself."""
    claims = {arm.name for arm in part.run.study.all_arms if arm.role == "arm"}
    shared = part.trained(name, NAIVE) if name in claims - {NAIVE} else []
    if not shared:
        return {}
    pair = [part.scores(metric, key, shared) for key in (name, NAIVE)]
    entries = asdict(paired_difference(*pair))
    return {"vs_naive": {key: entries[key] for key in ("difference", "low", "high", "p")}}


def _adjust(by_slice: dict[str, Any]) -> None:
    """Add `p_holm` to every comparison, in place."""
    compared = [
        arm["vs_naive"]
        for part in by_slice.values()
        for arm in part["arms"].values()
        if "vs_naive" in arm
    ]
    for versus, p in zip(compared, holm([versus["p"] for versus in compared]), strict=True):
        versus["p_holm"] = p
