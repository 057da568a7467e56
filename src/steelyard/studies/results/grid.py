"""From the results of the pairs of a grid to grid.json."""

from collections.abc import Sequence
from typing import Any

from steelyard.student import Student
from steelyard.studies.grid_settings import Pair
from steelyard.studies.plan import parameters
from steelyard.studies.results.collect import environment

TRAININGS = ("student-", "middle-", "fold-")
"""How names of stored trainings begin."""


def grid_results(
    name: str, pairs: Sequence[Pair], results: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What grid.json holds, besides the command and the seconds; see docs/formats.md.

    Args:
        name: of the grid.
        pairs: P pairs.
        results: the results of each, (P,).
    """
    weak = {pair.weak: pair.study.supervisors[0].kind for pair in pairs}
    students = {pair.student: pair.study.student for pair in pairs}
    first = results[0]
    return {
        "steelyard": first["steelyard"],
        "grid": name,
        "task": first["task"],
        "metric": first["metric"],
        "lower_is_better": first["lower_is_better"],
        "seeds": first["seeds"],
        "weak": [{"name": key, "kind": kind} for key, kind in weak.items()],
        "students": [_student(key, student) for key, student in students.items()],
        "pairs": [_pair(pair, part) for pair, part in zip(pairs, results, strict=True)],
        "costs": _costs(results),
        "environment": environment(),
    }


def _student(name: str, student: Student) -> dict[str, Any]:
    """Its kind and the parameters of its model; null where it has no pretrained model."""
    model = student.pretrained
    size = None if model is None else parameters(model)
    return {"name": name, "kind": student.kind, "parameters": size}


def _pair(pair: Pair, results: dict[str, Any]) -> dict[str, Any]:
    arms = {
        name: {key: arm[key] for key in ("role", "score", "pgr", "pgr_reason")}
        for name, arm in results["arms"].items()
    }
    return {
        "weak": pair.weak,
        "student": pair.student,
        "folder": pair.name,
        "floor": results["weak"],
        "ceiling": results["ceiling"],
        "arms": arms,
        "warnings": len(results["warnings"]),
    }


def _costs(results: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Students trained, and how many further ones were shared between pairs."""
    made = [
        {name for name in part["artifacts"].values() if name.startswith(TRAININGS)}
        for part in results
    ]
    trainings = len(set().union(*made))
    return {"trainings": trainings, "shared": sum(map(len, made)) - trainings}
