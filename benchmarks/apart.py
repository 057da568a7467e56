"""Ways to do one thing, each in a process of its own, by turns: for time and peak memory."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.race import Claim

Turns = list[dict[str, Any]]
"""What one way printed in each turn: `seconds`, `peak_mb` and what else it found."""


def by_turns(module: str, sides: Sequence[Sequence[str]], turns: int) -> list[Turns]:
    """Runs `python -m module WORDS` for the words of each side; the order turns every turn."""
    found: list[Turns] = [[] for _ in sides]
    for turn in range(turns):
        for i in list(range(len(sides)))[:: 1 if turn % 2 == 0 else -1]:
            command = [sys.executable, "-m", module, *sides[i]]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[i].append(json.loads(done.stdout))
    return found


def compare(
    what: str, against: str, ours: Turns, other: Turns, target: float | None = None
) -> list[Claim]:
    """Time and peak memory of the whole process, the other's over ours of the same turn."""
    claims = []
    for key, words, unit, aim in (
        ("seconds", "", "times as fast", target),
        ("peak_mb", ", memory", "times the memory", None),
    ):
        ratios = [b[key] / a[key] for a, b in zip(ours, other, strict=True)]
        middle = statistics.median(ratios)
        claims.append(Claim(f"{what}{words}", against, middle, min(ratios), max(ratios), aim, unit))
    return claims


def figure(turns: Turns, **words: Any) -> dict[str, Any]:
    """Words that say which way it was, medians of its numbers, and the seconds of every turn."""
    medians = {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
    return {**words, **medians, "turns": [turn["seconds"] for turn in turns]}


def peak_mb() -> float:
    """The most memory that this process has held so far.

    From Linux's table where there is one: `ru_maxrss` of a child starts at what its parent held.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
