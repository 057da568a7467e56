"""The values of summary.json, from which the report is made."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from steelyard.diagnostics.consistency import Consistency
from steelyard.diagnostics.copies import find_copies
from steelyard.diagnostics.relabel import relabel_first
from steelyard.diagnostics.voters import judge_voters, wilson
from steelyard.errors import InputError
from steelyard.evaluation import ScoreQuality, score_quality
from steelyard.evaluation.calibration import Calibration, calibrate
from steelyard.evaluation.vote_agreement import class_scores, entropy_bins
from steelyard.io.counted import counted
from steelyard.reliability.robust import VoteAnalysis
from steelyard.selection.label_and_ties import leading_answers
from steelyard.selection.risk_controlled import control_risk
from steelyard.types import ABSTAIN, Ints, Reliability, Votes
from steelyard.types.arrays import random_choice
from steelyard.weighing.decision import (
    collapse_warnings,
    decision_warnings,
    dependence_summary,
    independent_flags,
)
from steelyard.weighing.inputs import WeighInputs
from steelyard.weighing.voter_statistics import DiagnosticOptions, LabelsOf, voter_statistics

ISOTONIC = 200  # labels of known truth from which an isotonic curve is better than two parameters
VOTER_COLUMNS = (
    *("voter", "votes", "abstained", "accuracy", "low", "high", "agreement"),
    *("true_accuracy", "true_low", "true_high", "flags"),
)
SURE, UNSURE = 0.9, 0.7  # scores from which, and below which, labels are counted
FEW = 30  # labels of known truth below which an accuracy is uncertain


@dataclass(frozen=True, eq=False)
class MethodScores:
    """One method's labels, and their quality where the truth is known."""

    reliability: Reliability
    label: Ints  # (N,), ABSTAIN where nobody answered
    right: Ints  # (N,), 1 or 0 where the label is evaluated, else ABSTAIN
    ties: int  # labels drawn at random among tied answers
    quality: ScoreQuality | None
    calibration: Calibration | None
    uncalibrated: str  # why there is no calibration

    @classmethod
    def of(cls, votes: Votes, reliability: Reliability, truth: Ints, gold: Ints) -> "MethodScores":
        """Evaluate with `truth` (N,) where an item has votes; labels of `gold` (N,) are kept."""
        reliability = _with_gold(reliability, gold)
        labelled = votes.answered
        leading = leading_answers(votes, reliability.posterior)
        label = np.where(labelled | (gold >= 0), random_choice(leading), ABSTAIN)
        scores = labelled & (truth != ABSTAIN)
        right = np.where(scores, (label == truth).astype(np.int64), ABSTAIN)
        quality, calibration, reason = None, None, "no truth"
        if scores.any():
            quality = score_quality(reliability.score[scores], right[scores] == 1)
            method = "isotonic" if scores.sum() >= ISOTONIC else "temperature"
            try:
                calibration = calibrate(reliability.score, right, method)  # type: ignore[arg-type]
            except InputError as error:
                reason = str(error)
        ties = int((labelled & (gold == ABSTAIN) & (leading.sum(axis=1) > 1)).sum())
        return cls(reliability, label, right, ties, quality, calibration, reason)

    def summary(self) -> dict[str, Any]:
        with_truth = self.right != ABSTAIN
        if self.quality is None:
            return dict.fromkeys(
                ("accuracy", "auroc", "aurc", "ece", "bins", "risk_coverage", "calibrated")
            )
        calibrated = None
        if self.calibration is not None:
            calibrated = {
                "method": "isotonic" if with_truth.sum() >= ISOTONIC else "temperature",
                "ece_before": self.calibration.before.ece,
                "ece_after": self.calibration.after.ece,
                "items": int(with_truth.sum()),
            }
        return {
            "accuracy": float(self.right[with_truth].mean()),
            "auroc": self.quality.auroc,
            "aurc": self.quality.aurc,
            "ece": self.quality.ece,
            "bins": [asdict(entry) for entry in self.quality.bins],
            "risk_coverage": [[p.coverage, p.risk] for p in self.quality.risk_coverage],
            "calibrated": calibrated,
        }


def summarize(
    inputs: WeighInputs,
    scores: dict[str, MethodScores],
    alpha: float | None,
    delta: float,
    analysis: VoteAnalysis,
    repeated: Sequence[Consistency],
    options: DiagnosticOptions,
    labels_of: LabelsOf,
) -> dict[str, Any]:
    """The values of summary.json.

    Args:
        inputs: votes about N items, and the known true answers.
        scores: by method; the first is the one asked for.
        alpha: largest error of risk-controlled labels, or None.
        delta: probability of a larger one.
        analysis: whether the votes alone decide.
        repeated: agreement of voters with themselves.
        options: what is computed beside the labels.
        labels_of: labels of other votes by the first method.
    """
    votes, source, truth, gold = inputs.votes, inputs.source, inputs.truth, inputs.gold
    method, first = next(iter(scores.items()))
    readable = votes.answer != ABSTAIN
    with_truth = first.right != ABSTAIN
    of_truth = truth if with_truth.any() else None
    relabel = relabel_first(votes, first.reliability, first.label)
    limits = decision_warnings(analysis, repeated)
    limits += collapse_warnings(votes, {name: entry.label for name, entry in scores.items()})
    return {
        "steelyard": version("steelyard"),
        "source": source.name,
        "format": source.format,
        "items": len(votes.ids),
        "votes": len(votes.answer),
        "voters": len(votes.voters),
        "classes": list(votes.classes),
        "queries": len(votes.queries),
        "coverage": float(votes.answered.mean()),
        "abstained": int((~readable).sum()),
        "duplicates": {"policy": source.policy, "found": source.duplicates},
        "ties": first.ties,
        "method": method,
        "truth": {
            "items": int(with_truth.sum()),
            "gold_items": int((gold != ABSTAIN).sum()),
        },
        "label_accuracy": _label_accuracy(first.right[with_truth]),
        "label_scores": _label_scores(first),
        "limits": limits,
        "warnings": [*limits, *source.notes, *_warnings(votes, first, truth)],
        "dependence": dependence_summary(analysis),
        "consistency": [asdict(entry) for entry in repeated],
        "methods": {name: entry.summary() for name, entry in scores.items()},
        "risk_control": None if alpha is None else _risk_control(first, gold, alpha, delta),
        "by_voter": _by_voter(votes, first, of_truth, gold, analysis),
        "copies": [asdict(pair) for pair in find_copies(votes)],
        "relabel": [asdict(entry) for entry in relabel.first],
        "relabel_items": relabel.total,
        "entropy_bins": [asdict(entry) for entry in entropy_bins(votes, first.label, of_truth)],
        "class_scores": None
        if of_truth is None or not votes.classes
        else [
            {"class": entry.name, "right": entry.right, "wrong": entry.wrong}
            for entry in class_scores(first.label, first.reliability.score, truth, votes.classes)
        ],
        **voter_statistics(inputs, first.reliability, first.label, of_truth, options, labels_of),
    }


def _label_accuracy(right: Ints) -> dict[str, float] | None:
    """Share of right labels with Wilson's 95 % interval; None without known truth."""
    if len(right) == 0:
        return None
    spans = wilson(np.array([right.mean()]), np.array([len(right)]))
    return dict(zip(("value", "low", "high"), map(float, spans[0]), strict=True))


def _label_scores(first: MethodScores) -> dict[str, Any]:
    """How many labels there are, and how many have a high or a low score."""
    score = first.reliability.score[first.label != ABSTAIN]
    return {
        "labels": len(score),
        "none": int((first.label == ABSTAIN).sum()),
        "mean": float(score.mean()) if len(score) else None,
        "sure": int((score >= SURE).sum()),
        "unsure": int((score < UNSURE).sum()),
    }


def _by_voter(
    votes: Votes,
    first: MethodScores,
    truth: Ints | None,
    gold: Ints,
    analysis: VoteAnalysis,
) -> list[dict[str, Any]]:
    """What the votes show about each voter.

    A voter that shares no item with another voter, and has no gold item, has no accuracy: the
    posterior only repeats its answers. Nor has anyone where there is a single voter, in however
    many ways it was asked, or where all votes name one class.
    """
    with_gold = {votes.voters[v] for v in np.unique(votes.voter[gold[votes.example] != ABSTAIN])}
    alone = len(analysis.joined[0].voters) == 1 and not with_gold
    one_class = _one_class(votes) and not with_gold
    flags = independent_flags(votes, analysis)
    rows = judge_voters(votes, first.reliability, truth, gold=gold, flags=flags).rows()
    for row in rows:
        if analysis.undecided or alone or one_class:
            row["accuracy"] = None
        if row["agreement"] is None and row["voter"] not in with_gold:
            row["accuracy"] = None
    return sorted(rows, key=lambda row: row["accuracy"] is None)


def _one_class(votes: Votes) -> bool:
    return bool(votes.classes) and len(np.unique(votes.answer[votes.answer != ABSTAIN])) == 1


def flat_voters(by_voter: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Voters of the summary with VOTER_COLUMNS: intervals as three columns, flags as one text."""
    unknown = {"value": None, "low": None, "high": None}
    rows = []
    for voter in by_voter:
        accuracy, truth = (voter[key] or unknown for key in ("accuracy", "true_accuracy"))
        values = [voter["voter"], voter["votes"], voter["abstained"]]
        values += [accuracy[key] for key in unknown]
        values += [voter["agreement"], *(truth[key] for key in unknown), "; ".join(voter["flags"])]
        rows.append(dict(zip(VOTER_COLUMNS, values, strict=True)))
    return rows


def _with_gold(reliability: Reliability, gold: Ints) -> Reliability:
    """Gold answers are certain, also for methods that ignore them."""
    rows = np.flatnonzero(gold >= 0)
    if len(rows) == 0:
        return reliability
    posterior, score = reliability.posterior.copy(), reliability.score.copy()
    posterior[rows] = 0.0
    posterior[rows, gold[rows]] = 1.0
    score[rows] = 1.0
    return replace(reliability, posterior=posterior, score=score)


def _risk_control(first: MethodScores, gold: Ints, alpha: float, delta: float) -> dict[str, Any]:
    rows = (first.label != ABSTAIN) & (gold == ABSTAIN)
    control = control_risk(first.reliability.score[rows], first.right[rows], alpha, delta)
    kept = int(control.kept.sum())
    return {
        "alpha": alpha,
        "delta": delta,
        "threshold": control.threshold,
        "kept": kept,
        "share": kept / int(rows.sum()),
        "gold": control.trusted_kept,
        "wrong": control.wrong_kept,
        "bound": control.bound,
        "reason": control.reason,
    }


def _warnings(votes: Votes, first: MethodScores, truth: Ints) -> list[str]:
    counts = votes.counts
    total = counts.sum(axis=1)
    notes = []
    unanswered = int((total == 0).sum())
    if unanswered:
        notes.append(
            f"{counted(unanswered, 'item')} {'has' if unanswered == 1 else 'have'} no readable "
            f"vote: {'its' if unanswered == 1 else 'their'} label is empty, "
            f"{'its' if unanswered == 1 else 'their'} score 0."
        )
    if (total < 2).all():
        notes.append("No item has two votes: voters cannot be compared with each other.")
    elif (counts.max(axis=1) == total).all():
        notes.append("All votes on each item agree: voters cannot be told apart.")
    if first.ties:
        notes.append(
            "1 label is a tie, broken at random."
            if first.ties == 1
            else f"{first.ties:,} labels are ties, broken at random."
        )
    evaluated = int((first.right != ABSTAIN).sum())
    if 0 < evaluated < FEW:
        notes.append(
            f"Only {counted(evaluated, 'label')} {'is' if evaluated == 1 else 'are'} evaluated: "
            "too few to measure their accuracy."
        )
    if (truth != ABSTAIN).any() and not evaluated:
        notes.append("No item of known truth has a label: nothing is evaluated.")
    if evaluated and first.calibration is None:
        notes.append(f"The score is not calibrated: {first.uncalibrated}")
    return notes
