"""Damaged input: replies and votes files with random changes must be read, or refused in one line.

Replies are those of the corpus of the tests, and solutions with numbers, JSON and slots; votes
files are the exports of the tests and small tables as CSV, TSV, JSON, JSON lines, Parquet, Excel
and gzip. Each is changed at one to four random places: half of the files in a value, a name or a
row, the others in their text or bytes, inside workbooks and gzip too. Warnings are errors, only
errors of this package may leave, and every fiftieth file is weighed to the end. A number and the
seed make the same case again:

    python -m benchmarks.mutated --replies 900000 --files 100000 --seed 0
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.race import RESULTS
from steelyard.studies.results import environment

TESTS = Path(__file__).parents[1] / "tests"
SHOWN = 20  # failures that are printed


def main(quick: bool) -> None:
    run(*((9_000, 1_000) if quick else (900_000, 100_000)), seed=0, keeps=not quick)


def run(replies: int, files: int, seed: int, keeps: bool) -> None:
    """Check so many of each, from number 0 on.

    Raises:
        AssertionError: one left with another error.
    """
    sys.path.insert(0, str(TESTS))
    import mutated
    import mutated_files

    warnings.simplefilter("error")
    found: dict[str, Any] = {"environment": environment(), "seed": seed}
    failures: Counter[str] = Counter()
    found["replies"] = _each(replies, lambda n: mutated.check_reply(n, seed), failures)
    contents = mutated_files.whole_files()
    with tempfile.TemporaryDirectory() as folder:
        found["files"] = _each(
            files, lambda n: mutated_files.check_file(n, seed, contents, Path(folder)), failures
        )
    print(json.dumps({name: found[name] for name in ("replies", "files")}))
    assert not failures, f"{sum(failures.values())} failures of {len(failures)} kinds"
    if keeps:
        text = json.dumps(found, indent=1) + "\n"
        (RESULTS / "mutated.json").write_text(text, encoding="utf-8")


def _each(
    count: int, check: Callable[[int], bool | None], failures: Counter[str]
) -> dict[str, Any]:
    """Check every number; count what was read, and print each new kind of failure."""
    start, slowest, was_read = time.perf_counter(), (0.0, 0), 0
    for number in range(count):
        before = time.perf_counter()
        try:
            was_read += bool(check(number))
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {last.filename}:{last.lineno}"
            failures[kind] += 1
            if failures[kind] == 1 and len(failures) <= SHOWN:
                print(f"number {number}: {kind}: {error!r}"[:600], flush=True)
        slowest = max(slowest, (time.perf_counter() - before, number))
    return {
        "count": count,
        "read": was_read or None,
        "seconds": round(time.perf_counter() - start, 1),
        "slowest_seconds": round(slowest[0], 3),
        "slowest_number": slowest[1],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutated")
    parser.add_argument("--replies", type=int, default=900_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run(options.replies, options.files, options.seed, keeps=False)
