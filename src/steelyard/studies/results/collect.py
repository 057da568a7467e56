"""From what is stored to results.json: every part, in the order of the file."""

import itertools
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from steelyard.store.store import fingerprint
from steelyard.studies.executors import cores
from steelyard.studies.ladder import KIND, middle_trainings
from steelyard.studies.results.best_arm import best_of_arms
from steelyard.studies.results.comparisons import complete_comparisons
from steelyard.studies.results.deception import deception
from steelyard.studies.results.imitated import imitated
from steelyard.studies.results.json_numbers import numbers
from steelyard.studies.results.label_quality import estimators, quality_of, vote_quality
from steelyard.studies.results.off_task import off_task_scores
from steelyard.studies.results.other_metrics import other_metrics
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.results.seed_warnings import of_seeds
from steelyard.studies.results.slices import slice_scores
from steelyard.studies.results.test_sets import other_test_sets
from steelyard.studies.results.thresholds import at_chosen_threshold
from steelyard.studies.results.warnings import of_language_models, of_the_study
from steelyard.studies.results.yardsticks import yardsticks
from steelyard.studies.run import Run
from steelyard.studies.selecting import selected_labels
from steelyard.studies.training import CEILING, TrainedStudent

CURVE_POINTS = 60


def collect(run: Run) -> dict[str, Any]:
    """Everything that results.json holds, read from the store; see docs/formats.md.

    Raises:
        Missing: with a store that only reads, if a result is not stored.
    """
    study = run.study
    scores = StudyScores(run)
    metrics, undefined = other_metrics(scores)
    reliability = {kind: quality_of(run, kind) for kind in estimators(run)}
    results: dict[str, Any] = {
        "steelyard": version("steelyard"),
        "study": study.name,
        "task": study.task,
        "metric": study.metric_name,
        "lower_is_better": scores.scores(study.metric_name, CEILING).lower_is_better,
        "seeds": list(study.seed_list),
        "data": _data(run, scores),
        **yardsticks(scores),
        "arms": {arm.name: scores.arm(arm.name) for arm in study.all_arms},
        "metrics": metrics,
        "further_metrics": list(study.named_metrics)[1:],
        "test_sets": other_test_sets(scores),
        "slices": slice_scores(scores),
        "threshold": at_chosen_threshold(scores),
        "deception": deception(scores),
        "off_task": off_task_scores(scores),
        "votes": vote_quality(run),
        "reliability": reliability,
        "curves": {name: _curve(trained) for name, trained in scores.first_seed().items()},
        "match": study.match,
    }
    complete_comparisons(scores, results["arms"])
    results["best"] = best_of_arms(scores)
    results["imitation"] = imitated(scores)
    warnings = (of_the_study(run, results), of_seeds(scores), of_language_models(scores))
    results["warnings"] = [*itertools.chain(*warnings), *undefined]
    results["costs"] = _costs(run)
    results["environment"] = environment()
    results["artifacts"] = {k: v for k, v in sorted(run.store.roles.items()) if "/" in k}
    return results


def environment() -> dict[str, Any]:
    """Versions and machine, without names of people or places."""
    libraries = ("torch", "transformers", "numpy", "scikit-learn")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": cores(),
    }


def _data(run: Run, scores: StudyScores) -> dict[str, Any]:
    task, leaks = run.splits(run.study.seed_list[0])
    test = scores.test
    counts = np.bincount(test.truth, minlength=task.num_classes)[: task.num_classes]
    ceilings = scores.students[CEILING].values()
    truncated = max(trained.record.get("truncated", 0) for trained in ceilings)
    return {
        "name": run.source.name,
        "weak_train": len(task.weak_train.truth),
        "strong_train": len(task.strong_train.truth),
        "test": len(test.truth),
        "test_set": scores.test_sets[0] if scores.test_sets else None,
        "test_groups": scores.independent,
        "test_rows": fingerprint((test.ids, test.truth.tolist())),
        "classes": list(task.classes),
        "test_class_shares": numbers(counts / len(test.truth)),
        "leaks": {
            "exact": sum(leak.similarity == 1.0 for leak in leaks),
            "near": sum(leak.similarity < 1.0 for leak in leaks),
            "policy": run.study.data.leaks,
            "examples": [asdict(leak) for leak in leaks[:5]],
        },
        "truncated": {"strong_train": truncated},
        "dropped": run.source.dropped,
        "contradictory": run.source.contradictory,
    }


def _curve(trained: TrainedStudent) -> dict[str, list[float]]:
    """Training loss, averaged over at most CURVE_POINTS stretches of steps."""
    loss = np.array(trained.record["loss"])
    if not len(loss):
        return {"step": [], "loss": []}
    parts = np.array_split(np.arange(len(loss)), min(CURVE_POINTS, len(loss)))
    return {
        "step": [float(part.mean() + 1) for part in parts],
        "loss": [round(float(loss[part].mean()), 5) for part in parts],
    }


def _costs(run: Run) -> dict[str, Any]:
    """Trainings and seconds of what is stored, by stage: votes, selections, students.

    Students of folds, by which labels are refined, and middle students are counted apart; seconds
    of the former are part of the selections', those of the latter of the students'.
    """
    names = {role: name for role, name in run.store.roles.items() if "/" in role}
    stages = {"votes": "supervision", "selection": "selection", "student": "student"}
    stages |= {KIND: stages["student"]}
    seconds = dict.fromkeys(stages.values(), 0.0)
    for name in set(names.values()):
        seconds[stages[name.partition("-")[0]]] += run.store.seconds(name)
    students = {name for name in names.values() if name.startswith("student-")}
    costs: dict[str, Any] = {"trainings": len(students)}
    folds: dict[str, int] = {}
    for seed, arm in itertools.product(run.study.seed_list, run.study.all_arms):
        folds |= selected_labels(run, seed, arm).folds["steps"]
    if folds:
        costs["folds"] = {"trainings": len(folds), "steps": sum(folds.values())}
    if middle := middle_trainings(run):
        costs["middle"] = {"trainings": len(middle), "steps": sum(middle.values())}
    return {**costs, "seconds": {k: round(v, 1) for k, v in seconds.items()}}
