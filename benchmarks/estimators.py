"""Time and peak memory of estimators on large tables, ours and crowd-kit's, a process each.

`python -m benchmarks.estimators` prints a table and writes results/estimators.json. Voters have one
accuracy between 0.4 and 0.9; each example has votes of as many of them as `cast`, drawn at random.
"""

import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.crowd import frame
from steelyard.reliability import ESTIMATORS
from steelyard.results import environment
from steelyard.types import Ints, Votes

TABLES = {
    "0.9 M votes": {"examples": 200_000, "voters": 20, "cast": 4.5, "classes": 4},
    "6 M votes": {"examples": 1_000_000, "voters": 2400, "cast": 6, "classes": 4},
    "0.5 M votes, 100 classes": {"examples": 100_000, "voters": 500, "cast": 5, "classes": 100},
}
SIDES = ("majority", "dawid_skene", "one_coin", "hierarchical", "crowd-kit DawidSkene")


def compare() -> list[dict[str, Any]]:
    """Seconds of `estimate`, peak MB of the whole process, accuracy: for each table and side.

    `base_mb` is the process with the table, before anything was estimated. crowd-kit's time leaves
    out its imports and making its data frame.
    """
    rows = []
    for table in TABLES:
        for side in SIDES:
            command = [sys.executable, "-m", "benchmarks.estimators", table, side]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append({"table": table, "side": side, **json.loads(done.stdout)})
            print(line(rows[-1]), flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['table']:<26}{row['side']:<22}{row['seconds']:>8.2f} s{row['peak_mb']:>7.0f} MB"
        f" (table {row['base_mb']:.0f} MB)  accuracy {row['accuracy']:.4f}"
    )


def measure(table: str, side: str) -> dict[str, float]:
    """One side on one table, in this process."""
    votes, truth = draw(**TABLES[table])
    if side in ESTIMATORS:
        estimator = ESTIMATORS[side]()
        base, start = _peak_mb(), time.perf_counter()
        labels = estimator.estimate(votes).posterior.argmax(axis=1)
    else:
        from crowdkit.aggregation import DawidSkene

        warnings.simplefilter("ignore")  # pandas', of crowd-kit
        data = frame(votes)
        base, start = _peak_mb(), time.perf_counter()
        rows = DawidSkene().fit_predict_proba(data)
        labels = np.full(len(truth), -1)
        labels[rows.index] = rows.idxmax(axis="columns")
    seconds = time.perf_counter() - start
    right = float((labels == truth).mean())
    return {"seconds": seconds, "peak_mb": _peak_mb(), "base_mb": base, "accuracy": right}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def draw(examples: int, voters: int, cast: float, classes: int) -> tuple[Votes, Ints]:
    """A table and its truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, examples)
    right = rng.uniform(0.4, 0.9, voters)
    size = int(examples * cast)
    example = np.sort(
        np.concatenate([np.arange(examples), rng.integers(0, examples, size - examples)])
    )
    voter = rng.integers(0, voters, size)
    other = (truth[example] + rng.integers(1, classes, size)) % classes
    votes = Votes(
        ids=tuple(map(str, range(examples))),
        voters=tuple(map(str, range(voters))),
        queries=("as it stands",),
        example=example,
        voter=voter,
        query=np.zeros(size, dtype=np.int64),
        answer=np.where(rng.random(size) < right[voter], truth[example], other),
        candidates=np.full(examples, classes),
        classes=tuple(map(str, range(classes))),
    )
    return votes, truth


def main() -> None:
    place = Path(__file__).parent / "results" / "estimators.json"
    content = {"environment": environment(), "estimators": compare()}
    place.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: benchmarks/results/{place.name}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
