"""Keep what docs/results.md needs of finished studies: `python studies/keep.py RUN...`.

Each RUN is the folder of a finished study; studies/results/NAME.json is written, NAME as the study
is called. Then `make docs` writes the page anew. Scores, intervals and comparisons are those
of results.json, to six digits; per-item results stay in the folder of the study.
"""

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT = HERE / "results"
WHOLE = ("study", "task", "metric", "match", "seeds", "data", "weak", "weak_ensemble", "ceiling")
OF_ARM = (
    "role",
    "score",
    "pgr",
    "pgr_reason",
    "vs_naive",
    "vs_majority",
    "vs_gold_only",
    "vs_control",
)
OF_ESTIMATOR = ("auroc", "aurc", "ece")


def main(folders: list[Path]) -> None:
    KEPT.mkdir(exist_ok=True)
    for folder in folders:
        path = folder / "results.json"
        extract = keep(json.loads(path.read_text(encoding="utf-8")))
        day = datetime.datetime.fromtimestamp(path.stat().st_mtime, tz=datetime.UTC).date()
        extract["made"] = {"date": day.isoformat(), "commit": commit()}
        kept = KEPT / f"{extract['study']}.json"
        kept.write_text(json.dumps(extract, indent=1) + "\n", encoding="utf-8")
        print(f"studies/results/{kept.name} written")


def keep(results: dict[str, Any]) -> dict[str, Any]:
    """The part of results.json that is kept, numbers rounded to six digits."""
    extract = {name: results[name] for name in WHOLE}
    extract["references"] = {
        name: reference["score"] for name, reference in results.get("references", {}).items()
    }
    extract["arms"] = {name: _arm(arm) for name, arm in results["arms"].items()}
    extract["reliability"] = {
        name: {key: estimator[key] for key in OF_ESTIMATOR}
        for name, estimator in results["reliability"].items()
    }
    extract |= _further(results)
    extract |= {name: results[name] for name in ("costs", "environment", "steelyard")}
    rounded: dict[str, Any] = _rounded(extract)
    return rounded


def _further(results: dict[str, Any]) -> dict[str, Any]:
    """Metrics that the study names beside the main one, and other test sets, without slices."""
    named = results.get("further_metrics") or ()
    if not named:
        return {}
    sets = results.get("test_sets") or {}
    return {
        "further_metrics": {name: results["metrics"][name] for name in named},
        "test_sets": {
            name: {key: part[key] for key in ("rows", "groups", "metrics")}
            for name, part in sets.items()
        },
        "deception": results.get("deception"),
    }


def _arm(arm: dict[str, Any]) -> dict[str, Any]:
    seeds = arm["seeds"]
    means = {
        f"mean_{key}": sum(seed[key] for seed in seeds) / len(seeds)
        for key in ("kept", "label_accuracy")
        if seeds and all(isinstance(seed.get(key), float | int) for seed in seeds)
    }
    return {**{name: arm.get(name) for name in OF_ARM}, **means}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items() if name != "examples"}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value


def commit() -> str:
    """The last commit that changed the program."""
    command = ["git", "log", "-1", "--format=%h", "--", ":/src"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
