"""Read the results.json of a finished study."""

import json
from pathlib import Path
from typing import Any

from steelyard.errors import InputError

RESULTS, LOCK, STORE = "results.json", "study.lock.yaml", "store"
GRID = "grid.json"
PARTS = {
    "study": str,
    "seeds": list,
    "data": dict,
    "ceiling": dict,
    "arms": dict,
    "artifacts": dict,
}
"""Entries that every results.json has, and their types."""


def store_of(folder: Path) -> Path:
    """The store of a finished study; that of its grid where it is a pair's."""
    in_grid = (folder.parent / GRID).is_file() and not (folder / STORE).is_dir()
    return folder.parent / STORE if in_grid else folder / STORE


def read_results(folder: Path) -> dict[str, Any]:
    """The results of a finished study, of its folder or of a file that holds them.

    Raises:
        InputError: there are none, or they are damaged.
    """
    path = folder if folder.is_file() else folder / RESULTS
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
    for arm in results["arms"].values():
        if isinstance(arm, dict) and "doubt" in arm:  # its name in version 0.1
            arm["uncertainty"] = arm.pop("doubt")
    return results
