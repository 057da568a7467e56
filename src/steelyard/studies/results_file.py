"""Read the results.json of a finished study, without what made it."""

import json
from pathlib import Path
from typing import Any

from steelyard.errors import InputError

RESULTS, LOCK, STORE = "results.json", "study.lock.yaml", "store"
PARTS = {
    "study": str,
    "seeds": list,
    "data": dict,
    "ceiling": dict,
    "arms": dict,
    "artifacts": dict,
}
"""What every results.json has, among other things."""


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
