"""What makes comparisons of many arms honest: Holm, simultaneous intervals, shares of the gap."""

from dataclasses import asdict
from typing import Any

from steelyard.evaluation.many_arms import holm, simultaneous_differences
from steelyard.evaluation.pgr import share_of_gap
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.training import CEILING

PREFIX, CONTROL = "vs_", "vs_control"


def complete_comparisons(scores: StudyScores, arms: dict[str, Any]) -> None:
    """Add to every comparison of an arm what follows from the other arms, in place.

    p_holm         p adjusted for all arms that are compared with the same model, or, for controls,
                   for all arms that have one; null for controls and oracles, which make no claim
    simultaneous   `low` and `high` that hold for all these arms at once; only where all were
                   trained in every seed
    pgr            the difference as a share of the gap, or null
    """
    keys = dict.fromkeys(key for arm in arms.values() for key in arm if key.startswith(PREFIX))
    for key in keys:
        compared = {name: arm[key] for name, arm in arms.items() if arm.get(key)}
        claims = [name for name in compared if arms[name]["role"] == "arm"]
        adjusted = dict(zip(claims, holm([compared[n]["p"] for n in claims]), strict=True))
        together = {} if key == CONTROL else _together(scores, claims, key.removeprefix(PREFIX))
        for name, versus in compared.items():
            versus["p_holm"] = adjusted.get(name)
            versus["simultaneous"] = together.get(name)
            other = versus.get("control") or key.removeprefix(PREFIX)
            versus["pgr"] = _share(scores, name, other)


def _together(scores: StudyScores, names: list[str], other: str) -> dict[str, dict[str, float]]:
    metric, every = scores.run.study.metric_name, list(range(len(scores.seeds)))
    whole = [name for name in names if scores.trained(name, other) == every]
    if not whole:
        return {}
    models = [scores.scores(metric, name) for name in whole]
    spans = simultaneous_differences(models, scores.scores(metric, other))
    return {n: {"low": s.low, "high": s.high} for n, s in zip(whole, spans, strict=True)}


def _share(scores: StudyScores, name: str, other: str) -> dict[str, float] | None:
    if not scores.has_floor:
        return None
    metric, shared = scores.run.study.metric_name, scores.trained(name, other)
    models = (scores.scores(metric, key, shared) for key in (name, other, "weak", CEILING))
    share = share_of_gap(*models)
    return None if share is None else asdict(share)
