"""How good the weak labels are: votes and reliability against the hidden truth."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from steelyard.evaluation import score_quality
from steelyard.evaluation.label_intervals import (
    intervals_of_labels,
    label_accuracy,
    label_interval,
    resample_both,
)
from steelyard.studies.arms import Arm
from steelyard.studies.ladder import arm_labels_of
from steelyard.studies.results.json_numbers import mean
from steelyard.studies.run import Run
from steelyard.studies.selecting import selected_labels
from steelyard.studies.single_supervisors import arm_votes
from steelyard.studies.votes import collect_votes, true_answers
from steelyard.types import ABSTAIN, Floats, Votes, rows_of
from steelyard.types.arrays import expected_hits


def vote_quality(run: Run) -> dict[str, Any]:
    """How often votes on strong_train are right, over all seeds."""
    right, read, total = 0, 0, 0
    by_voter: dict[str, list[tuple[float, float]]] = {}
    notes: dict[str, None] = {}
    warnings: dict[str, None] = {}
    for seed in run.study.seed_list:
        votes, truth = collect_votes(run, seed).strong_train, true_answers(run, seed)
        notes.update(dict.fromkeys(votes.notes))
        warnings.update(dict.fromkeys(votes.warnings))
        hit = votes.answer == truth[votes.example]
        seen = votes.answer != ABSTAIN
        right, read, total = right + hit.sum(), read + seen.sum(), total + len(seen)
        for name, rates in _by_voter(votes, hit, seen).items():
            by_voter.setdefault(name, []).append(rates)
    return {
        "accuracy": float(right / read) if read else None,
        "abstained": float(1 - read / total),
        "voters": len(votes.voters),
        "queries": len(votes.queries),
        "asked": list(notes),
        "warnings": list(warnings),
        "by_voter": [
            {
                "voter": name,
                "accuracy": mean([r[0] for r in rates]),
                "abstained": mean([r[1] for r in rates]),
            }
            for name, rates in by_voter.items()
        ],
    }


def _by_voter(votes: Votes, hit: Any, seen: Any) -> dict[str, tuple[float, float]]:
    size = len(votes.voters)
    total = np.bincount(votes.voter, minlength=size)
    read = np.bincount(votes.voter[seen], minlength=size)
    right = np.bincount(votes.voter[hit], minlength=size)
    return {
        name: (
            float(right[v] / read[v]) if read[v] else float("nan"),
            float(1 - read[v] / total[v]),
        )
        for v, name in enumerate(votes.voters)
        if total[v]
    }


def estimators(run: Run) -> dict[str, Any]:
    """One arm per estimator, by its kind; two of one kind have their settings in the name."""
    first: dict[str, Any] = {}
    few = {
        arm.name: arm.selection.takes_one_supervisor or arm.votes != "all"
        for arm in run.study.all_arms
    }
    for arm in sorted(run.study.all_arms, key=lambda arm: few[arm.name]):
        first.setdefault(str(arm.reliability.model_dump(mode="json")), arm)
    kinds = [arm.reliability.kind for arm in first.values()]
    named = {}
    for arm in first.values():
        method = arm.reliability
        settings = method.model_dump(exclude={"kind"}, exclude_none=True)
        detail = ", ".join(f"{key}={value}" for key, value in settings.items())
        ambiguous = kinds.count(method.kind) > 1 and detail
        named[f"{method.kind}({detail})" if ambiguous else method.kind] = arm
    return named


def quality_of(run: Run, kind: str) -> dict[str, Any]:
    """Does the score rank right labels first? Examples of all seeds, judged together."""
    arm = estimators(run)[kind]
    scores, rights, groups, seeds = [], [], [], []
    for number, seed in enumerate(run.study.seed_list):
        reliability = selected_labels(run, seed, arm).reliability
        votes, split = arm_votes(run, seed, arm).strong_train, run.task(seed).strong_train
        answered = votes.answered
        rows = rows_of(split.ids, reliability.ids)
        labels = _labels(votes, reliability.posterior)
        scores.append(reliability.score[answered])
        rights.append((labels == true_answers(run, seed, votes)[rows])[answered])
        groups += [run.train_groups[name] for name in np.array(reliability.ids)[answered].tolist()]
        seeds += [number] * int(answered.sum())
    score, right = np.concatenate(scores), np.concatenate(rights)
    quality = score_quality(score, right)
    spans = intervals_of_labels(score, right.astype(float), np.array(groups), np.array(seeds))
    return {
        "intervals": {name: span and asdict(span) for name, span in spans.items()},
        "auroc": quality.auroc,
        "aurc": quality.aurc,
        "ece": quality.ece,
        "bins": [asdict(part) for part in quality.bins],
        "risk_coverage": [[point.coverage, point.risk] for point in quality.risk_coverage],
    }


def arm_labels(run: Run, arm: Arm, seeds: Sequence[int]) -> dict[str, float] | None:
    """Share of right labels among those that an arm trains on, with its interval over both.

    Args:
        run: the study.
        arm: whose labels.
        seeds: in which it was trained.
    """
    rights, groups, numbers = [], [], []
    for number, seed in enumerate(seeds):
        selection = arm_labels_of(run, seed, arm)
        votes, ids = arm_votes(run, seed, arm).strong_train, run.task(seed).strong_train.ids
        kept = selection.weights > 0
        rights.append(expected_hits(true_answers(run, seed, votes), selection.targets)[kept])
        groups += [run.train_groups[name] for name in np.array(ids)[kept].tolist()]
        numbers += [number] * int(kept.sum())
    if not groups:
        return None
    drawn = resample_both(np.array(groups), np.array(numbers))
    span = label_interval(label_accuracy(np.concatenate(rights)), drawn)
    return None if span is None else asdict(span)


def _labels(votes: Votes, posterior: Floats) -> Any:
    from steelyard.selection.label_and_ties import most_probable

    return most_probable(votes, posterior)
