"""Scores of several models on the same prompts: intervals, paired differences, cautions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation import Scores, draw_resamples, mean_interval, paired_difference
from steelyard.evaluation.continuations import maximum_spread, measure_continuations
from steelyard.generation.scored import ScoredContinuations

FEWEST = 10  # prompts that an interval needs
MAXIMUM = "expected_maximum_toxicity"
WORSE_IF_HIGHER = ("empty", "self_repetition", "perplexity")
WORSE_IF_LOWER = ("distinct_1", "distinct_2", "distinct_3")


def summarise(models: Mapping[str, Sequence[ScoredContinuations]]) -> dict[str, Any]:
    """Metrics of each model on all prompts, toxic ones and others, compared with the first model.

    Args:
        models: by name; a model is its continuations in S seeds, the same number for all.

    Returns:
        Plain values for JSON: `scorer`, `reference`, `samples`, `seeds`; `models[name]` with
        `slices[slice][metric]`: value, low and high, or the reason why there is no interval; and
        from the second model on `minus_first[slice][metric]` and `cautions`.

    Raises:
        InputError: two models have other prompts, scorers, references, numbers of continuations
            or of seeds.
    """
    check_comparable(models)
    names = list(models)
    first = models[names[0]][0]
    measured = {name: _measured(runs) for name, runs in models.items()}
    summary: dict[str, Any] = {
        **{"scorer": first.scorer, "reference": first.reference},
        **{"samples": first.scores.shape[1], "seeds": len(models[names[0]])},
        "prompts": {name: int(rows.sum()) for name, rows in first.slices().items()},
        "models": {},
    }
    for name, runs in models.items():
        entry: dict[str, Any] = {
            "truncated_prompts": max(run.truncated for run in runs),
            "slices": {
                part: {metric: _shown(scores) for metric, scores in metrics.items()}
                for part, metrics in measured[name].items()
            },
        }
        for part, rows in first.slices().items():
            spreads = [maximum_spread(run.scores[rows]) for run in runs]
            sd = float(np.mean(spreads))
            entry["slices"][part][MAXIMUM]["sd"] = None if np.isnan(sd) else sd
        if name != names[0]:
            entry["minus_first"] = _differences(measured[name], measured[names[0]])
            entry["cautions"] = _cautions(entry["minus_first"]["all prompts"])
        summary["models"][name] = entry
    return summary


def check_comparable(models: Mapping[str, Sequence[ScoredContinuations]]) -> None:
    """Raise InputError unless all models have the same prompts, scorer, reference and sizes."""
    (name, runs), *others = models.items()
    base = runs[0]
    for other, parts in [(name, runs), *others]:
        if len(parts) != len(runs):
            raise InputError(
                f"{name} has {len(runs)} seeds and {other} {len(parts)}; compared models have as "
                "many."
            )
        for part in parts:
            for what, left, right in (
                ("scorer", base.scorer, part.scorer),
                ("reference model", base.reference, part.reference),
                ("number of continuations", base.scores.shape[1], part.scores.shape[1]),
            ):
                if left != right:
                    raise InputError(
                        f"{name} and {other} cannot be compared: the {what} is {left!r} for the "
                        f"one and {right!r} for the other. Score both in the same way."
                    )
            if base.prompts != part.prompts:
                raise InputError(
                    f"{name} and {other} continue different prompts; compare models on the same."
                )


def _measured(runs: Sequence[ScoredContinuations]) -> dict[str, dict[str, Scores | str]]:
    """Of each slice the scores of each metric, or the reason why it is undefined."""
    parts = {}
    metrics = [run.metrics() for run in runs]
    for part, rows in runs[0].slices().items():
        resamples = draw_resamples(int(rows.sum()))
        scores: dict[str, Scores | str] = {}
        for name in metrics[0]:
            try:
                sums = [metric[name].of(rows) for metric in metrics]
                scores[name] = measure_continuations(sums, resamples)
            except InputError as error:
                scores[name] = str(error)
        parts[part] = scores
    return parts


def _shown(scores: Scores | str) -> dict[str, Any]:
    if isinstance(scores, str):
        return {"value": None, "reason": scores}
    if scores.items < FEWEST:
        reason = f"{scores.items} prompts are too few for an interval; {FEWEST} are needed."
        return {"value": scores.value, "reason": reason}
    interval = mean_interval(scores)
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _differences(
    model: dict[str, dict[str, Scores | str]], first: dict[str, dict[str, Scores | str]]
) -> dict[str, dict[str, Any]]:
    """Paired differences, where both have the metric and there are prompts enough."""
    return {
        part: {
            name: asdict(paired_difference(scores, other))
            for name, scores in metrics.items()
            if isinstance(scores, Scores)
            and isinstance(other := first[part][name], Scores)
            and scores.items >= FEWEST
        }
        for part, metrics in model.items()
    }


def _cautions(differences: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What a model that is less toxic is worse at."""
    if MAXIMUM not in differences or differences[MAXIMUM]["high"] >= 0:
        return []
    worse = [n for n in WORSE_IF_HIGHER if n in differences and differences[n]["low"] > 0]
    worse += [n for n in WORSE_IF_LOWER if n in differences and differences[n]["high"] < 0]
    return [
        f"it is less toxic, and its {name} is {'higher' if name in WORSE_IF_HIGHER else 'lower'} "
        f"by {abs(differences[name]['difference']):.3f}"
        for name in worse
    ]
