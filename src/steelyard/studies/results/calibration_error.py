"""Calibration of the students: an error without bias, with an interval over items and seeds."""

from typing import Any

import numpy as np

from steelyard.evaluation import Scores, mean_interval
from steelyard.evaluation.probability_scores import squared_calibration_error
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.training import CEILING

NAME = "calibration_error"
NO_PGR = ("ece", "brier", "log_loss")
"""Metrics of probabilities: a gap between them is not one of performance."""


def calibration_errors(scores: StudyScores) -> dict[str, Any]:
    """Root of the mean squared distance of confidence and accuracy, as an entry of `metrics`."""
    arms = [arm.name for arm in scores.run.study.all_arms]
    return {
        "weak": None,
        "ceiling": _of(scores, CEILING),
        "arms": {name: _of(scores, name) if scores.students[name] else None for name in arms},
        "pgr": dict.fromkeys(arms),
    }


def _of(scores: StudyScores, name: str) -> dict[str, float]:
    probs = [student.predictions.probs[scores.rows] for student in scores.students[name].values()]
    seeds = [squared_calibration_error(scores.truth, p)[0] for p in probs]
    drawn = [squared_calibration_error(scores.truth, p, scores.resamples) for p in probs]
    limits = (-np.inf, 1.0)
    items = scores.independent
    span = mean_interval(Scores(NAME, items, np.array(seeds), np.array(drawn), True, limits))
    bounds = {"value": span.value, "low": span.low, "high": span.high}
    return {key: float(np.sqrt(max(0.0, value))) for key, value in bounds.items()}


def of_probabilities(name: str, part: dict[str, Any]) -> dict[str, Any]:
    """An entry of `metrics` without what its metric cannot tell.

    Metrics of probabilities have no PGR. `ece` has no interval: it is biased upwards, so that one
    of 95 % holds the truth in 16 to 30 % of studies.
    """
    if name in NO_PGR:
        part = {**part, "pgr": dict.fromkeys(part["pgr"])}
    if name != "ece":
        return part
    arms = {arm: _plain(span) for arm, span in part["arms"].items()}
    return {**part, "weak": _plain(part["weak"]), "ceiling": _plain(part["ceiling"]), "arms": arms}


def _plain(span: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if span is None else {**span, "low": None, "high": None}
