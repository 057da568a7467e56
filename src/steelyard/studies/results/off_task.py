"""Accuracy on other tasks, before training and after it by each arm."""

from dataclasses import asdict
from typing import Any

from steelyard.evaluation import (
    Scores,
    TestRows,
    bind,
    draw_resamples,
    mean_interval,
    measure,
    paired_difference,
    without_abstentions,
)
from steelyard.evaluation.many_arms import holm
from steelyard.studies.off_task import PART, OffTaskRows, answers_before, off_task_rows
from steelyard.studies.results.scores import StudyScores
from steelyard.types import Predictions


def off_task_scores(scores: StudyScores) -> dict[str, Any]:
    """By other task: rows, accuracy before training, and of each student with its difference.

    `vs_before` is paired over rows, and over the seeds in which the student was trained; below 0
    the training did harm. Its `p_holm` is adjusted for the arms, and null for all other students.
    """
    before = answers_before(scores.run) if scores.run.study.off_task else {}
    return {
        name: _of_task(scores, PART + name, rows, before[PART + name])
        for name, rows in off_task_rows(scores.run).items()
    }


def _of_task(
    scores: StudyScores, part: str, rows: OffTaskRows, before: Predictions
) -> dict[str, Any]:
    resamples = draw_resamples(len(rows.split.truth), groups=rows.groups)
    independent = len(set(rows.groups.tolist()))

    def score(answers: list[Predictions]) -> Scores:
        facts = bind("accuracy", TestRows(rows.classes, rows.split.truth, None))
        tables = [[without_abstentions(a.probs, len(rows.classes))] for a in answers]
        measured = measure(facts, rows.split.truth, tables, resamples)
        return Scores(measured.metric, independent, measured.seeds, measured.resampled)

    models = {}
    for name, students in scores.students.items():
        answers = [student.off_task[part] for student in students.values()]
        if answers:
            trained, untrained = score(answers), score([before] * len(answers))
            versus = asdict(paired_difference(trained, untrained))
            models[name] = {
                **asdict(mean_interval(trained)),
                "vs_before": {key: versus[key] for key in ("difference", "low", "high", "p")},
            }
    _adjust(scores, models)
    return {
        "task": rows.kind,
        "rows": len(rows.split.truth),
        "groups": independent,
        "before": asdict(mean_interval(score([before]))),
        "models": models,
    }


def _adjust(scores: StudyScores, models: dict[str, Any]) -> None:
    """Add `p_holm` to every comparison, in place."""
    claims = [a.name for a in scores.run.study.all_arms if a.role == "arm" and a.name in models]
    adjusted = holm([models[name]["vs_before"]["p"] for name in claims])
    by_name = dict(zip(claims, adjusted, strict=True))
    for name, model in models.items():
        model["vs_before"]["p_holm"] = by_name.get(name)
