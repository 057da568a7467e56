"""Uncertainty of the students, and how well it finds their errors."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation import MetricFacts, detect_errors, mean_interval, measure
from steelyard.evaluation.metrics import binary_auroc
from steelyard.evaluation.resample_sums import Counts
from steelyard.studies.results.json_numbers import mean
from steelyard.types import Floats, Ints
from steelyard.types.arrays import expected_hits

if TYPE_CHECKING:
    from steelyard.studies.results.scores import StudyScores

LEAST_CONFIDENCE = "least_confidence"


def uncertainty(scores: "StudyScores", name: str) -> dict[str, Any] | None:
    """Mean uncertainty of the student and its AUROC for finding errors, means over the seeds.

    None for open answers, which have no class probabilities.
    """
    if not scores.run.task(scores.seeds[0]).classes or not scores.students[name]:
        return None
    students = scores.students[name].values()
    probs = [student.predictions.probs[scores.rows] for student in students]
    others = [
        {key: values[scores.rows] for key, values in student.uncertainty.items()}
        for student in students
    ]
    seeds = [detect_errors(*pair, scores.truth) for pair in zip(probs, others, strict=True)]
    entries = {}
    for measured in seeds[0]:
        values = [
            1 - p.max(axis=1) if measured == LEAST_CONFIDENCE else other[measured]
            for p, other in zip(probs, others, strict=True)
        ]
        entries[measured] = {
            "mean": mean([seed[measured].mean for seed in seeds]),
            "auroc": mean([x for seed in seeds if (x := seed[measured].auroc) is not None]),
            "interval": _interval(scores, values, probs),
        }
    return entries


def _auroc(truth: Ints, table: Floats, counts: Counts | None = None) -> Floats:
    return binary_auroc(table[:, 1], table[:, 0], counts)


def _interval(
    scores: "StudyScores", values: list[Floats], probs: list[Floats]
) -> dict[str, float] | None:
    """The AUROC over rows and seeds; None where some seed has no errors, or only errors."""
    tables = [
        [np.column_stack([value, 1 - expected_hits(scores.truth, p)])]
        for value, p in zip(values, probs, strict=True)
    ]
    nothing = np.zeros(len(scores.truth), dtype=np.int64)
    try:
        metric = MetricFacts("auroc", _auroc)
        entries = measure(metric, nothing, tables, scores.resamples)
        return asdict(mean_interval(replace(entries, items=scores.independent)))
    except InputError:
        return None
