"""The best arm, measured on test items and seeds that did not choose it."""

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from steelyard.data import take
from steelyard.errors import InputError
from steelyard.evaluation import (
    mean_interval,
    measure,
    paired_difference,
    performance_gap_recovered,
)
from steelyard.evaluation.choice import choose_elsewhere, combine, halve
from steelyard.studies.grading import bind_metric
from steelyard.studies.results.json_numbers import numbers
from steelyard.studies.results.scores import NO_FLOOR, StudyScores
from steelyard.studies.training import CEILING
from steelyard.types import Floats, Ints

NAIVE = "naive"


def best_of_arms(scores: StudyScores) -> dict[str, Any] | None:
    """Score, PGR and lead over naive of "take the arm that is best elsewhere".

    For each seed and each half of the test items the arm is chosen by the other seeds on the other
    half (`evaluation.choice`), so that neither the rows nor the training that is measured has
    chosen it. None without an arm, other than naive, that was trained in every seed.
    """
    study, every = scores.run.study, list(range(len(scores.seeds)))
    names = [
        arm.name
        for arm in study.all_arms
        if arm.role == "arm" and arm.name != NAIVE and scores.trained(arm.name) == every
    ]
    if not names:
        return None
    metric = study.metric_name
    tables = [[scores.table(s.answers, metric) for s in scores.students[n].values()] for n in names]
    halves = halve(scores.test_groups)
    parts = [np.flatnonzero(halves == half) for half in (0, 1)]
    on_halves = np.array(
        [[[_score(scores, table, part) for part in parts] for table in arm] for arm in tables]
    )
    first = scores.scores(metric, names[0])
    chosen = choose_elsewhere(on_halves, first.lower_is_better)
    answers = combine(tables, chosen, halves)
    bound = scores.bound(metric)
    best = measure(bound, scores.truth, [[table] for table in answers], scores.resamples)
    best = replace(best, items=scores.independent)
    gap = None
    if scores.has_floor:
        models = (scores.scores(metric, "weak"), best, scores.scores(metric, CEILING))
        gap = performance_gap_recovered(*models)
    naive = scores.scores(metric, NAIVE) if scores.trained(NAIVE) == every else None
    counts = Counter(names[int(q)] for q in chosen.ravel())
    return {
        "chosen": dict(counts.most_common()),
        "score": asdict(mean_interval(best)),
        "pgr": None if gap is None or gap.interval is None else asdict(gap.interval),
        "pgr_reason": NO_FLOOR if gap is None else gap.reason,
        "vs_naive": None if naive is None else asdict(paired_difference(best, naive)),
        "seeds": numbers(best.seeds),
    }


def _score(scores: StudyScores, table: Floats, part: Ints) -> float:
    if not len(part):
        return float("nan")
    try:
        metric = bind_metric(scores.run, scores.run.study.metric_name, take(scores.test, part))
    except InputError:  # this half of the rows lacks a class that the metric names
        return float("nan")
    return float(metric.score(scores.truth[part], table[part], None)[0])
