"""The recommendation of results.json: which arm to choose, with no truth but that of weak_train."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

import numpy as np

from steelyard.evaluation.expected_gains import (
    FEWEST_SETS,
    ExpectedGains,
    PastGains,
    expected_gains,
)
from steelyard.studies.pilot import MAJORITY, PilotScores
from steelyard.studies.presets import PRESETS
from steelyard.studies.reference_names import GOLD_AND_WEAK, GOLD_ONLY, is_reference
from steelyard.studies.run import Run

SIMPLE = (MAJORITY, GOLD_ONLY)
"""Kept unless another arm is expected to be better by MARGIN: the votes as they are, and the true
labels alone."""
MARGIN = 0.005  # of the score's range
PAST_METRICS = ("accuracy", "macro_f1")
"""Metrics whose gains are in the units of past studies, which are of classification."""


def past_gains(without: str) -> PastGains:
    """Gains of arms over the majority in the studies of this repository.

    Args:
        without: name of a data set that has no part in them.
    """
    text = files("steelyard.studies").joinpath("past_gains.json").read_text(encoding="utf-8")
    stored = json.loads(text)
    gains, within = np.array(stored["gains"]), np.array(stored["within"])
    past = PastGains(tuple(stored["sets"]), tuple(stored["arms"]), gains, within)
    return past.without(without)


def _eligible(run: Run) -> tuple[str, ...]:
    """Names of what may be recommended, without the majority."""
    arms = [arm.name for arm in run.study.all_arms if arm.role == "arm" and arm.name != MAJORITY]
    references = [n for n in (GOLD_ONLY, GOLD_AND_WEAK) if n in run.study.reference_names]
    return (*references, *arms)


def recommendation(run: Run, pilot: PilotScores | None, reason: str) -> dict[str, Any]:
    """The arm of the largest expected gain over the majority, and what is expected of the others.

    Args:
        run: the study.
        pilot: scores on folds of weak_train, or None.
        reason: why there are none.
    """
    names = _eligible(run)
    if pilot is not None:
        names = tuple(name for name in names if name in pilot.arms)
        if MAJORITY not in pilot.arms:
            pilot, reason = None, "the majority's answers could not be learned in every fold"
    past = _comparable(run, names)
    if pilot is not None and not np.isfinite(pilot.score_range):
        pilot, reason = None, f"`{run.study.metric_name}` has no limits to compare gains with"
    tried = None if pilot is None or not names else pilot.over_majority(names)
    if not names or (tried is None and (len(past.sets) < FEWEST_SETS or not past.arms)):
        return {"arm": None, "reason": reason or "no arm could be tried"}
    score_range = 1.0 if pilot is None else pilot.score_range
    expected = expected_gains(names, past, tried, score_range)
    gold = {arm.name for arm in run.study.all_arms if arm.uses_gold}
    weak = [name for name in names if name not in gold and name not in (GOLD_ONLY, GOLD_AND_WEAK)]
    return {
        "arm": choose(expected, names, MARGIN * score_range),
        "votes_alone": choose(expected, weak, MARGIN * score_range),
        "reason": reason,
        "rows": None if pilot is None else pilot.rows,
        "past_sets": len(past.sets) if past.arms else 0,
        "candidates": _candidates(expected, pilot),
    }


def _comparable(run: Run, names: Sequence[str]) -> PastGains:
    """Past gains of the references and of arms with the settings of their presets.

    None of another kind of task or metric, whose gains have other units.
    """
    study, past = run.study, past_gains(run.source.name)
    if study.task != "classification" or study.metric_name not in PAST_METRICS:
        return past.of_arms(())
    presets = {arm.name for arm in study.all_arms if arm == PRESETS.get(arm.name)}
    return past.of_arms([name for name in names if name in presets or is_reference(name)])


def choose(expected: ExpectedGains, among: Sequence[str], margin: float = MARGIN) -> str:
    """The arm of the largest expected gain; a simple one that is hardly worse goes before it."""
    gains = {MAJORITY: 0.0, **{arm: expected.interval(arm).value for arm in among}}
    best = max(gains.values())
    near = [name for name in SIMPLE if name in gains and gains[name] >= best - margin]
    return max(near or gains, key=lambda name: gains[name])


def _candidates(expected: ExpectedGains, pilot: PilotScores | None) -> dict[str, Any]:
    """What is expected of each, the largest gain first."""
    ranks, best = expected.ranks()
    names = (*expected.arms, MAJORITY)
    gains = np.append(expected.mean, 0.0)
    return {
        names[i]: {
            "tried": None if pilot is None else float(pilot.scores[pilot.arms.index(names[i])]),
            "gain": None if names[i] == MAJORITY else asdict(expected.interval(names[i])),
            "rank": list(ranks[i]),
            "best": float(best[i]),
        }
        for i in np.argsort(-gains, kind="stable")
    }
