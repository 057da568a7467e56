"""Test sets beside the main one: the same models, each with its floor, ceiling, arms and PGR."""

from typing import Any

from steelyard.studies.results.other_metrics import of_metric
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.results.slices import slice_scores
from steelyard.studies.results.thresholds import at_chosen_threshold


def other_test_sets(scores: StudyScores) -> dict[str, Any]:
    """By name: rows, independent rows, and of each of the study's metrics what `metrics` has."""
    by_set = {}
    for name in scores.test_sets[1:]:
        part = scores.of_test_set(name)
        by_set[name] = {
            "rows": len(part.truth),
            "groups": part.independent,
            "metrics": {metric: of_metric(part, metric) for metric in part.run.study.named_metrics},
            "slices": slice_scores(part),
            "threshold": at_chosen_threshold(part),
        }
    return by_set
