"""Scores at the threshold that each student has for itself, chosen on weak_train."""

from dataclasses import asdict, replace
from typing import Any

from steelyard.errors import InputError
from steelyard.evaluation import (
    MetricFacts,
    Scores,
    at_threshold,
    bind,
    mean_interval,
    measure,
    metric_name,
    paired_difference,
)
from steelyard.studies.grading import grade, rows_of_split
from steelyard.studies.reference_names import is_untrained
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.training import CEILING
from steelyard.types import Floats


def at_chosen_threshold(scores: StudyScores) -> dict[str, Any] | None:
    """Metrics of every student at its own threshold; None without the setting `threshold`.

    The metrics are those of the study, and recall, false positives and cost of the class.
    `vs_usual` is the paired difference to the same student's most probable answers, in the main
    metric. Of the references only `zero_shot` is here: the others were trained on the rows that the
    threshold is chosen on. A metric that is not defined on these rows is there with its reason.
    """
    study = scores.run.study
    if study.threshold is None:
        return None
    names = [CEILING, *(arm.name for arm in study.all_arms)]
    names += [name for name in study.reference_names if is_untrained(name)]
    metrics = {
        metric_name(m): m for m in (*study.named_metrics.values(), *study.threshold.metrics())
    }
    bound, reasons = {}, {}
    for name, metric in metrics.items():
        try:
            facts = bind(metric, rows_of_split(scores.run, scores.test))
            _score(scores, facts, CEILING)  # what is not defined for it is not for any student
        except InputError as error:
            reasons[name] = str(error)
        else:
            bound[name] = facts
    return {
        "of": study.threshold.of,
        "recall": study.threshold.recall,
        "costs": study.threshold.costs,
        "undefined": reasons,
        "models": {name: _of(scores, name, bound) for name in names if scores.students[name]},
    }


def _of(scores: StudyScores, name: str, bound: dict[str, MetricFacts]) -> dict[str, Any]:
    main = scores.run.study.metric_name
    spans = {m: _score(scores, facts, name) for m, facts in bound.items()}
    versus = None
    if main in spans:
        difference = asdict(paired_difference(spans[main], scores.scores(main, name)))
        versus = {key: difference[key] for key in ("difference", "low", "high", "p")}
    return {
        "thresholds": _thresholds(scores, name),
        "metrics": {m: asdict(mean_interval(span)) for m, span in spans.items()},
        "vs_usual": versus,
    }


def _thresholds(scores: StudyScores, name: str) -> list[float]:
    """The threshold in each seed in which the student was trained."""
    run, target = scores.run, scores.run.study.threshold
    assert target is not None
    thresholds = []
    for i, student in scores.students[name].items():
        labelled = run.task(scores.seeds[i]).weak_train
        assert student.on_weak_train is not None
        table = grade(run, labelled, student.on_weak_train.probs, "accuracy")
        thresholds.append(target.choose(labelled.truth, table, run.source.classes))
    return thresholds


def _score(scores: StudyScores, metric: MetricFacts, name: str) -> Scores:
    target, classes = scores.run.study.threshold, scores.run.source.classes
    assert target is not None
    number = classes.index(target.of)
    tables: list[list[Floats]] = [
        [at_threshold(scores.table(student.answers, metric.name), number, threshold)]
        for student, threshold in zip(
            scores.students[name].values(), _thresholds(scores, name), strict=True
        )
    ]
    measured = measure(metric, scores.truth, tables, scores.resamples)
    return replace(measured, items=scores.independent)
