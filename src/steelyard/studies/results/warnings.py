"""Warnings of a study: what limits the conclusions that its table allows."""

from typing import Any

import numpy as np

from steelyard.io.counted import counted
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.run import Run
from steelyard.studies.selecting import selected_labels
from steelyard.studies.training import TrainedStudent


def of_the_study(run: Run, results: dict[str, Any]) -> list[str]:
    """Warnings about the data, the seeds and the labels, one sentence each."""
    messages = []
    leaks = results["data"]["leaks"]
    if leaks["exact"] + leaks["near"]:
        duplicates = f"{leaks['exact']} exact and {leaks['near']} near duplicates across splits"
        action = "dropped from training."
        if leaks["policy"] != "drop":
            action = "kept; `data.leaks: drop` removes them, `data.leaks: error` stops the study."
        messages.append(f"{duplicates} (first seed): {action}")
    dropped = [f"{count} ({why})" for why, count in results["data"]["dropped"].items() if count]
    if dropped:
        messages.append(f"Rows were dropped: {', '.join(dropped)}.")
    contradictory = results["data"]["contradictory"]
    if contradictory and run.study.data.contradictions == "keep":
        messages.append(
            f"{counted(contradictory, 'text')} with several labels in one file: kept; "
            "`data.contradictions: drop` or `majority` resolves them."
        )
    seeds = len(run.study.seed_list)
    if seeds < 5:
        messages.append(
            f"Only {counted(seeds, 'seed')}: intervals are wide and approximate. Use at least 5."
        )
    messages += results["votes"]["warnings"]
    if results["votes"]["abstained"] > 0:
        messages.append(f"{results['votes']['abstained']:.1%} of the votes are abstentions.")
    truncated = results["data"]["truncated"]["strong_train"]
    if truncated:
        messages.append(f"Truncated to `max_tokens`: {counted(truncated, 'training text')}.")
    arms = results["arms"]
    messages += [f"`{name}`: {arm['reason']}" for name, arm in arms.items() if arm["reason"]]
    messages += _of_folds(run)
    reasons = [arm["pgr_reason"] for arm in arms.values() if arm["pgr"] is None and arm["score"]]
    messages += reasons[:1]  # all are about the same gap
    undefined = [kind for kind, part in results["reliability"].items() if part["auroc"] is None]
    if undefined:
        kinds = ", ".join(undefined)
        messages.append(f"No AUROC for {kinds}: the labels are all right or all wrong.")
    return messages


def _of_folds(run: Run) -> list[str]:
    """Warnings about students of folds whose training collapsed."""
    messages = []
    for arm in run.study.all_arms:
        folds = [selected_labels(run, seed, arm).folds for seed in run.study.seed_list]
        collapsed = sum(len(part["collapsed"]) for part in folds)
        if collapsed:
            total = counted(sum(len(part["steps"]) for part in folds), "training")
            messages.append(
                f"`{arm.name}`: {collapsed} of {total} of folds collapsed; their questions keep "
                "what the votes say in that round."
            )
    return messages


def of_language_models(scores: StudyScores) -> list[str]:
    """Warnings about dropped training answers and unreadable replies of language models."""
    messages = []
    records = [
        student.record for by_seed in scores.students.values() for student in by_seed.values()
    ]
    too_long = max(record.get("dropped", 0) for record in records)
    if too_long:
        messages.append(
            f"Dropped: up to {counted(too_long, 'training answer')} longer than `max_tokens`, "
            "or not representable by the student's tokenizer."
        )
    for name, by_seed in scores.students.items():
        classes = scores.run.task(scores.seeds[0]).num_classes
        shares = [_unreadable(student, classes) for student in by_seed.values()]
        if not shares:
            continue
        if max(shares) > 0 and scores.run.study.student.has_rewards:
            messages.append(  # the same pairs for every arm
                f"{np.mean(shares):.1%} of the test pairs exceed `max_tokens`; they count as wrong "
                "for every student."
            )
            break
        if max(shares) > 0:
            messages.append(f"{np.mean(shares):.1%} of the answers of `{name}` could not be read.")
    return messages


def _unreadable(student: TrainedStudent, answers: int) -> float:
    """Share of the test questions to which a student gave no readable answer."""
    if "answers" in student.record:
        return float(np.mean([answer is None for answer in student.record["answers"]]))
    return float(student.predictions.probs[:, answers:].sum() / len(student.predictions.ids))
