"""What arms are measured against: supervisors, students taught the truth, and the gold curve."""

from dataclasses import asdict
from typing import Any

from steelyard.studies.ceiling import ceiling_length
from steelyard.studies.reference_names import CURVE, DESCRIPTIONS, is_curve_point
from steelyard.studies.results.gold_curve import rows_worth
from steelyard.studies.results.scores import StudyScores
from steelyard.studies.results.supervisor_rows import SINGLE, mean_held_out
from steelyard.studies.training import CEILING


def yardsticks(scores: StudyScores) -> dict[str, Any]:
    """Floor, ensemble, best single supervisor, references and ceiling, of results.json."""
    metric = scores.run.study.metric_name
    names = scores.run.study.reference_names
    singles = _singles(scores)
    return {
        "weak": scores.floor(metric),
        "weak_ensemble": scores.ensemble(metric),
        "weak_best": _best(singles),
        "supervisors": singles,
        "references": {n: reference(scores, n) for n in names if not is_curve_point(n)},
        "gold_curve": _curve(scores),
        "ceiling": {**scores.score(metric, CEILING), **_length(scores)},
    }


def reference(scores: StudyScores, name: str) -> dict[str, Any]:
    """Score, gap recovered, and rows and steps by seed, of a reference or a point of the curve."""
    metric, trained = scores.run.study.metric_name, scores.trained(name)
    gap = scores.gap(metric, name)
    score = scores.score(metric, name) if trained else None
    seeds: list[dict[str, Any]] = []
    for i, seed in enumerate(scores.seeds):
        if i not in trained:
            why = scores.reasons[name, i]
            seeds.append({"seed": seed, "score": None, "rows": None, "steps": None, "reason": why})
            continue
        record = scores.students[name][i].record
        value = float(scores.scores(metric, name).seeds[trained.index(i)])
        size = {"rows": record["kept"], "steps": record["steps"]}
        seeds.append({"seed": seed, "score": value, **size, "reason": None})
    return {
        "description": DESCRIPTIONS.get(name, ""),
        "score": score,
        "reason": scores.reason(name),
        "pgr": None if gap is None or gap.interval is None else asdict(gap.interval),
        "seeds": seeds,
    }


def _length(scores: StudyScores) -> dict[str, Any]:
    """Steps of the ceiling by seed, its epochs, and the held-out score of each length tried."""
    steps = [student.record["steps"] for student in scores.students[CEILING].values()]
    length = ceiling_length(scores.run)
    tried = [list(trial) for trial in length.tried] if length else []
    return {"steps": steps, "epochs": length.epochs if length else None, "tried": tried}


def _singles(scores: StudyScores) -> list[dict[str, Any]]:
    """Score of each single supervisor, and its accuracy on held-out rows of weak_train."""
    metric = scores.run.study.metric_name
    held_out = mean_held_out(scores.run) if scores.has_floor else {}
    names = [n.removeprefix(SINGLE) for n in scores.supervisors if n.startswith(SINGLE)]
    return [
        {"name": name, **scores.score(metric, SINGLE + name), "held_out": held_out.get(name)}
        for name in names
    ]


def _best(singles: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The single supervisor that is best on weak_train; None where that cannot be measured."""
    if len(singles) == 1:
        return singles[0]
    measured = [single for single in singles if single["held_out"] is not None]
    return max(measured, key=lambda single: float(single["held_out"]), default=None)


def _curve(scores: StudyScores) -> dict[str, Any] | None:
    """Score by rows of known truth, and how many of them are worth as much as each arm's labels."""
    study = scores.run.study
    if not study.gold_curve:
        return None
    points = [
        {"rows": rows, **reference(scores, f"{CURVE}{rows}")} for rows in sorted(study.gold_curve)
    ]
    measured = [(p["rows"], p["score"]["value"]) for p in points if p["score"]]
    lower = scores.scores(study.metric_name, CEILING).lower_is_better
    worth = {
        arm.name: asdict(
            rows_worth(measured, scores.scores(study.metric_name, arm.name).value, lower)
        )
        for arm in study.all_arms
        if scores.trained(arm.name) and measured
    }
    return {"points": points, "worth": worth}
