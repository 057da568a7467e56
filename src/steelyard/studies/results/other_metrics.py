"""Scores by the metrics beside the main one: floor, arms, ceiling and PGR of each."""

from dataclasses import asdict
from typing import Any

from steelyard.errors import InputError
from steelyard.evaluation import PAIR_METRICS, mean_interval
from steelyard.studies.results.calibration_error import (
    NAME,
    calibration_errors,
    of_probabilities,
)
from steelyard.studies.results.scores import NO_FLOOR, StudyScores
from steelyard.studies.training import CEILING


def other_metrics(scores: StudyScores) -> tuple[dict[str, Any], list[str]]:
    """Every metric but the main one, by name, and a sentence for each that is not defined."""
    study = scores.run.study
    named = list(study.named_metrics)[1:]
    if study.task_metrics == ("accuracy",) and not named:
        return {}, ["Open answers have no classes: accuracy is the only metric."]
    metrics, undefined = {}, []
    for name in dict.fromkeys((*named, *study.task_metrics)):
        if name != study.metric_name:
            metrics[name] = of_metric(scores, name)
            if metrics[name].get("reason"):
                undefined.append(f"No {name}: {metrics[name]['reason']}")
    if "ece" in study.task_metrics:
        metrics[NAME] = calibration_errors(scores)
    return metrics, undefined


def of_metric(scores: StudyScores, name: str) -> dict[str, Any]:
    """Floor, arms, ceiling and PGR by one metric; only `reason` where it is not defined.

    No PGR where the units of two models differ, as those of rewards.
    """
    try:
        return of_probabilities(name, _measured(scores, name))
    except InputError as error:
        return {"reason": str(error)}


def _measured(scores: StudyScores, name: str) -> dict[str, Any]:
    arms = [arm.name for arm in scores.run.study.all_arms]
    of_pairs = name in PAIR_METRICS
    gaps = {arm: None if of_pairs else scores.gap(name, arm) for arm in arms}
    reasons = [gap.reason for gap in gaps.values() if gap is not None and gap.interval is None]
    bound = scores.bound(name)
    return {
        "lower_is_better": bound.lower_is_better,
        "weak": None if of_pairs else scores.floor(name),
        "ceiling": scores.score(name, CEILING),
        "arms": {
            arm: asdict(mean_interval(scores.scores(name, arm))) if scores.students[arm] else None
            for arm in arms
        },
        "references": {
            ref: asdict(mean_interval(scores.scores(name, ref))) if scores.students[ref] else None
            for ref in scores.run.study.reference_names
        },
        "pgr": {
            arm: None if gap is None or gap.interval is None else asdict(gap.interval)
            for arm, gap in gaps.items()
        },
        "pgr_reason": reasons[0] if reasons else None if scores.has_floor else NO_FLOOR,
    }
