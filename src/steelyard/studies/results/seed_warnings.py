"""Warnings about seeds in which a student's training collapsed."""

import numpy as np

from steelyard.evaluation import PAIR_METRICS, TaskMetric, measure
from steelyard.evaluation.collapse import collapsed_seeds
from steelyard.studies.results.scores import StudyScores
from steelyard.types import one_hot


def of_seeds(scores: StudyScores) -> list[str]:
    """A sentence for each student that learned next to nothing in some of its seeds."""
    messages = []
    metric = _metric(scores)
    if metric in PAIR_METRICS:
        return []  # rewards have no level of chance
    for name, by_seed in scores.students.items():
        if not by_seed:
            continue
        measured = scores.scores(metric, name)
        texts = [student.record.get("answers") for student in by_seed.values()]
        probs = [student.predictions.probs for student in by_seed.values()]
        closed = texts[0] is None
        collapsed = collapsed_seeds(measured, _chance(scores, closed), probs if closed else ())
        if collapsed:
            positions = scores.trained(name)
            seeds = ", ".join(str(scores.seeds[positions[i]]) for i in collapsed)
            values = ", ".join(f"{measured.seeds[i]:.3f}" for i in collapsed)
            others = np.median(np.delete(measured.seeds, collapsed))
            messages.append(
                f"`{name}` collapsed in seed{'s' * (len(collapsed) > 1)} {seeds}: {metric} "
                f"{values}, the median of the other seeds is {others:.3f}. Its mean and intervals "
                "describe neither; look at the scores seed by seed."
            )
    return messages


def _metric(scores: StudyScores) -> str:
    """The study's metric, or accuracy where one constant answer may be perfect, as for recall."""
    study = scores.run.study
    return "accuracy" if isinstance(study.metric, TaskMetric) else study.metric_name


def _chance(scores: StudyScores, closed: bool) -> float:
    """Score of the best constant answer; of open answers, of no answer."""
    if not closed:
        return 0.0
    size, metric = scores.run.task(scores.seeds[0]).num_classes, scores.bound(_metric(scores))
    sign = -1.0 if metric.lower_is_better else 1.0
    none = np.ones((1, len(scores.truth)))
    values = [
        measure(metric, scores.truth, [[one_hot(np.full_like(scores.truth, k), size)]], none)
        for k in range(size)
    ]
    return sign * max(sign * value.value for value in values)
