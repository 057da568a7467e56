"""Ways to do one thing, by turns in one run, and what is said of them."""

import functools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steelyard.studies.results import environment

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Way:
    """One way to do the thing. What it returns is compared with what the others return."""

    name: str
    do: Callable[[], Any]


@dataclass(frozen=True)
class Timed:
    """Seconds of one way, of every turn."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Claim:
    """How many times as long another way takes as ours: a row of the table in the README."""

    what: str  # "training, sst2"
    against: str  # "Trainer, default arguments"
    ratio: float  # median over turns of their seconds / ours, of the same turn
    low: float  # the smallest such ratio
    high: float  # the largest
    target: float | None = None  # what was aimed at
    unit: str = "times as fast"

    def line(self) -> str:
        target = "" if self.target is None else f"  (target {self.target:g})"
        return (
            f"{self.what:<34}{self.against:<44}{self.ratio:>7.2f} x"
            f"  [{self.low:.2f}, {self.high:.2f}]{target}"
        )


def race(ways: Sequence[Way], turns: int, same: Callable[[Sequence[Any]], None]) -> list[Timed]:
    """Times of every way. The first turn is nobody's: it warms up, and its results must agree.

    Args:
        ways: the first is ours.
        turns: how often each is timed; the ways alternate, in reverse order every other turn.
        same: raises AssertionError unless the results, in the order of `ways`, agree.
    """
    same([way.do() for way in ways])
    seconds: dict[str, list[float]] = {way.name: [] for way in ways}
    for turn in range(turns):
        for way in ways if turn % 2 == 0 else ways[::-1]:
            start = time.perf_counter()
            way.do()
            seconds[way.name].append(time.perf_counter() - start)
    return [Timed(name, tuple(times)) for name, times in seconds.items()]


def claims(what: str, timed: Sequence[Timed], targets: Sequence[float | None]) -> list[Claim]:
    """The first way against each of the others, turn by turn."""
    ours, *others = timed
    found = []
    for other, target in zip(others, targets, strict=True):
        ratios = [b / a for a, b in zip(ours.seconds, other.seconds, strict=True)]
        found.append(
            Claim(what, other.name, statistics.median(ratios), min(ratios), max(ratios), target)
        )
    return found


def write(name: str, claims: Sequence[Claim], figures: dict[str, Any], quick: bool) -> None:
    """Print the claims and keep them, with machine, versions and figures, as results/NAME.json.

    A quick run shows that the benchmark works; it keeps nothing.
    """
    for claim in claims:
        print(claim.line(), flush=True)
    if quick:
        return
    RESULTS.mkdir(exist_ok=True)
    content = {
        "environment": environment() | {"processor": processor(), "date": time.strftime("%F")},
        "claims": [asdict(claim) for claim in claims],
        **figures,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written: benchmarks/results/{name}.json", flush=True)


def processor() -> str:
    """Maker and matrix instructions of the processor: they decide what a ratio can be."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    words = {key.strip(): value.strip() for key, value in pairs}
    flags = words.get("flags", "").split()
    named = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags]
    return f"{words.get('model name', 'unknown')} ({', '.join(named[:2])})"


def matrix_peak(size: int = 2048, turns: int = 15) -> dict[str, float]:
    """GFLOP/s of a square matrix product, median of turns, in bf16 and in float32."""
    import torch

    found = {}
    for name, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        a, b = torch.randn(2, size, size).to(kind)
        product = Way(name, functools.partial(torch.matmul, a, b))
        (timed,) = race([product], turns, lambda _: None)
        found[name] = 2 * size**3 / timed.median / 1e9
    return found
