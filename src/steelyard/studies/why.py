"""What made a stored result, and why it would be made again."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steelyard.errors import InputError
from steelyard.extras import MissingExtra, require
from steelyard.store.store import Missing, Recipe, Store
from steelyard.studies.results_file import LOCK, read_results, store_of


@dataclass(frozen=True)
class Explanation:
    """One artifact of a run."""

    role: str  # such as "seed-0/filter/student"
    name: str  # of the stored result
    recipe: Recipe | None  # what made it; None if it is gone
    changes: tuple[str, ...]  # why it would be made again; empty if it would be read
    unchecked: bool = False  # whether it is up to date is unknown: models cannot be loaded here


def explain(folder: Path, wanted: str | None = None) -> list[Explanation]:
    """Every artifact of a run, or those whose role or name contains `wanted`.

    A change of an early stage (data, votes) is reported there; the later stages are made again
    too.

    Raises:
        InputError: the folder holds no run, or no artifact of that name.
    """
    results = read_results(folder)
    old: dict[str, str] = results["artifacts"]
    store = Store(store_of(folder), read_only=True)
    stale: dict[str, tuple[str, ...]] = {}
    unchecked = False
    try:
        require("`steelyard why`", "torch", "transformers", "accelerate", "safetensors")
        stale = dict(_stale(folder, store, old))
    except MissingExtra:
        unchecked = True
    explanations = [
        Explanation(role, name, store.recipe(name), stale.get(role, ()), unchecked)
        for role, name in old.items()
        if wanted is None or wanted in role or wanted in name
    ]
    if not explanations:
        raise InputError(
            f"No artifact of {folder} is named {wanted!r}; there are, for instance, "
            f"{', '.join(list(old)[:3])}."
        )
    return explanations


def _stale(
    folder: Path, store: Store, old: dict[str, str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Roles that a new run would make again, each with what changed."""
    from steelyard.studies import jobs
    from steelyard.studies.config import read_study
    from steelyard.studies.run import Run

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
