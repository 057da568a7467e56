"""Arms over several data sets: one effect in one unit, from the results of finished studies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from steelyard.errors import InputError
from steelyard.evaluation.interval import quantile
from steelyard.evaluation.many_arms import holm
from steelyard.evaluation.over_datasets import OverDatasets, random_effects

Unit: TypeAlias = Literal["points", "pgr"]
Results: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """An arm less another on one data set: in points of the score, or as a share of the gap."""

    study: str
    value: float
    error: float  # standard error
    note: str = ""


@dataclass(frozen=True)
class ArmOverDatasets:
    """One arm against another over data sets, and the data sets that say nothing about it."""

    arm: str
    effects: tuple[Effect, ...]
    skipped: tuple[tuple[str, str], ...]  # (study, reason)
    summary: OverDatasets | None  # None: fewer than two effects
    p_holm: float | None = None


def compare_datasets(
    runs: Sequence[Results],
    against: str = "naive",
    unit: Unit = "points",
    arms: Sequence[str] = (),
) -> tuple[ArmOverDatasets, ...]:
    """Each arm's mean effect over the data sets of these runs, p adjusted over the arms (Holm).

    Args:
        runs: contents of results.json, each of other test rows.
        against: `naive`, `majority`, `gold_only` or `control` (the arm's own).
        unit: points of the score, 0 to 100, for runs of one metric; or shares of the gap.
        arms: names; empty for all that are no controls or oracles.

    Raises:
        InputError: two runs of the same test rows or data set, or no run has the comparison.
    """
    _check_different(runs)
    names = list(arms) or list(
        dict.fromkeys(
            name
            for run in runs
            for name, arm in run["arms"].items()
            if arm.get("role") == "arm" and arm.get(f"vs_{against}")
        )
    )
    compared = [_over(runs, name, against, unit) for name in names]
    if not any(row.effects for row in compared):
        reasons = [reason for row in compared for _, reason in row.skipped]
        why = reasons[0] if reasons else f"no arm is compared with `{against}`"
        raise InputError(f"The runs cannot be compared with `{against}` in {unit}: {why}.")
    tested = [row for row in compared if row.summary]
    adjusted = holm([row.summary.p for row in tested if row.summary])
    by_arm = {row.arm: p for row, p in zip(tested, adjusted, strict=True)}
    return tuple(replace(row, p_holm=by_arm.get(row.arm)) for row in compared)


def _check_different(runs: Sequence[Results]) -> None:
    seen: dict[object, str] = {}
    for run in runs:
        for key in (run["data"].get("test_rows"), ("name", run["data"].get("name"))):
            if key is None or key == ("name", None):
                continue
            if key in seen:
                raise InputError(
                    f"{seen[key]!r} and {run['study']!r} are of one data set, "
                    f"{run['data'].get('name')!r}: a mean over data sets takes each once. Give one "
                    "of them, or the two alone, with the same test rows."
                )
        for key in (run["data"].get("test_rows"), ("name", run["data"].get("name"))):
            seen[key] = run["study"]


def _over(runs: Sequence[Results], name: str, against: str, unit: Unit) -> ArmOverDatasets:
    effects, skipped = [], []
    for run in runs:
        effect = _effect(run, name, against, unit, runs[0]["metric"])
        if isinstance(effect, str):
            skipped.append((run["study"], effect))
        else:
            effects.append(effect)
    summary = None
    if len(effects) > 1:
        summary = random_effects([e.value for e in effects], [e.error for e in effects])
    return ArmOverDatasets(name, tuple(effects), tuple(skipped), summary)


def _effect(run: Results, name: str, against: str, unit: Unit, metric: str) -> Effect | str:
    """The effect in one run, or why there is none."""
    arm = run["arms"].get(name)
    if arm is None:
        return f"it has no arm `{name}`"
    versus = arm.get(f"vs_{against}")
    if versus is None:
        return arm.get("reason") or f"`{name}` is not compared with `{against}`"
    if unit == "pgr":
        share = versus.get("pgr")
        if not share:
            return arm.get("pgr_reason") or "it was made by an older version; run the study again"
        return _with_error(Effect(run["study"], share["value"], share["error"]))
    if run["metric"] != metric:
        return f"its metric is {run['metric']}, that of the first run {metric}; `pgr` has one unit"
    error, note = versus.get("error"), ""
    if error is None:  # of an older version
        error = (versus["high"] - versus["low"]) / 2 / quantile(float("inf"))
        note = "standard error from the interval"
    sign = -1.0 if run.get("lower_is_better") else 1.0
    return _with_error(Effect(run["study"], 100 * sign * versus["difference"], 100 * error, note))


def _with_error(effect: Effect) -> Effect | str:
    return effect if effect.error > 0 else "nothing varies between its test rows and seeds"
