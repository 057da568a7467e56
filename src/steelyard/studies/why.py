"""What made a stored result, and why it would be made again."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.errors import InputError
from steelyard.store.store import Missing, Recipe, Store
from steelyard.studies import jobs
from steelyard.studies.config import read_study
from steelyard.studies.run import Run
from steelyard.studies.study import LOCK, RESULTS, STORE

PARTS = {
    "study": str,
    "seeds": list,
    "data": dict,
    "ceiling": dict,
    "arms": dict,
    "artifacts": dict,
}
"""What every results.json has, among other things."""


@dataclass(frozen=True)
class Explanation:
    """One artifact of a run."""

    role: str  # such as "seed-0/filter/student"
    name: str  # of the stored result
    recipe: Recipe | None  # what made it; None if it is gone
    changes: tuple[str, ...]  # why it would be made again; empty if it would be read


def explain(folder: Path, wanted: str | None = None) -> list[Explanation]:
    """Every artifact of a run, or those whose role or name contains `wanted`.

    A change far up (data, votes) is said where it stands; what depends on it is made again too.

    Raises:
        InputError: the folder holds no run, or no artifact of that name.
    """
    results = read_results(folder)
    old: dict[str, str] = results["artifacts"]
    store = Store(folder / STORE, read_only=True)
    stale = dict(_stale(folder, store, old))
    found = [
        Explanation(role, name, store.recipe(name), stale.get(role, ()))
        for role, name in old.items()
        if wanted is None or wanted in role or wanted in name
    ]
    if not found:
        raise InputError(
            f"No artifact of {folder} is named {wanted!r}; there are, for instance, "
            f"{', '.join(list(old)[:3])}."
        )
    return found


def _stale(
    folder: Path, store: Store, old: dict[str, str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Roles that a new run would make again, each with what changed."""
    run = Run(read_study(folder / LOCK), store, folder)
    for seed, name in itertools.chain(*jobs.rounds(run)):
        try:
            jobs.do(run, seed, name)
        except Missing as missing:
            before = store.recipe(old.get(missing.role, ""))
            if before is None:
                yield missing.role, ("it is not stored (removed or damaged)",)
            else:
                yield missing.role, tuple(missing.recipe.differences(before)) or ("it is gone",)


def read_results(folder: Path) -> dict[str, Any]:
    """The results of a finished study.

    Raises:
        InputError: there are none, or they are damaged.
    """
    path = folder / RESULTS
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give the folder of a finished study."
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); run the study again.") from error
    for name, kind in PARTS.items():
        if not isinstance(results, dict) or not isinstance(results.get(name), kind):
            raise InputError(f"{path} is damaged: it has no `{name}`; run the study again.")
    return results
