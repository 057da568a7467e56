"""How time and peak memory of a command grow with its work: each size is a process of its own.

`weigh` reads a CSV of votes, of four classes and of 10,000, and writes its page; `label` asks a
server on this machine that answers at once, so that only our own time is seen; `study` trains
tf-idf voters and a probe on generated sentences, one seed. Between three sizes n, 10 n, 100 n the
growth free of what every run costs is

    p = log10((t3 - t2) / (t2 - t1)),

exact for t = a + b n^p, and for n log n a little above 1: `bound` says how much. What a larger size
would take is read off that curve through the last three sizes, with p at least 1.
"""

import asyncio
import json
import math
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.race import Claim, write

MANY = "weigh, 10,000 classes"
SIZES = {
    "weigh": (20_000, 200_000, 2_000_000, 20_000_000),
    MANY: (30_000, 300_000, 3_000_000),
    "label": (100, 1_000, 10_000),
    "study": (100, 1_000, 10_000),
}
UNIT = {"weigh": "votes", MANY: "votes", "label": "questions", "study": "rows"}
LARGER = {"weigh": 100_000_000, MANY: 20_000_000}
"""Sizes that are forecast."""
REPEATS = (3, 2, 1, 1)  # of the sizes in order: what is short is noisy
VOTERS, CAST = 2_400, 6
NOISE = 0.1  # of an exponent, from what a run differs from the next
CHILD = """
import re, sys, time
from pathlib import Path
start = time.perf_counter()
from steelyard.cli.main import run
try:
    run()
finally:
    peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
    Path("cost").write_text(f"{time.perf_counter() - start} {time.process_time()} {peak}")
"""
"""A command that notes its own cost. Its peak is that of its own memory: what the kernel counts for
a child begins with the parent's."""


@dataclass(frozen=True)
class Cost:
    """What one size of one command took, medians over repeats."""

    command: str
    size: int
    seconds: float
    processor: float  # seconds, of all threads
    peak_mb: float


def main(quick: bool) -> None:
    costs = [cost for command in SIZES for cost in grown(command, quick)]
    conclude(costs, quick)


def grown(command: str, quick: bool) -> list[Cost]:
    """A command at each of its sizes; two of them in a quick run."""
    sizes = SIZES[command][: 2 if quick else None]
    costs = []
    for size, repeats in zip(sizes, REPEATS, strict=False):
        with tempfile.TemporaryDirectory() as folder, MAKE[command](Path(folder), size) as words:
            each = [run(Path(folder), words(turn)) for turn in range(1 if quick else repeats)]
        middle = (statistics.median(values) for values in zip(*each, strict=True))
        costs.append(Cost(command, size, *middle))
        print(line(costs[-1]), flush=True)
    return costs


def conclude(costs: Sequence[Cost], quick: bool) -> None:
    """Print how each command grows, and keep it.

    Raises:
        AssertionError: something grows faster than n log n.
    """
    growths = [growth for command in SIZES for growth in exponents(costs, command)]
    for one in growths:
        print(
            f"{one['command']:<22}{one['of']:<9}{one['from']:>10,} to {one['to']:>10,}: exponent "
            f"{one['exponent']:.2f} (n log n: {one['bound']:.2f})"
        )
    larger = [forecast(costs, command) for command in LARGER if command in SIZES and not quick]
    for one in larger:
        print("forecast: " + ", ".join(f"{name} {value}" for name, value in one.items()))
    none: list[Claim] = []
    values = {"growth": [asdict(cost) for cost in costs], "exponents": growths, "forecast": larger}
    write("growth", none, values, quick)
    fast = [one for one in growths if one["exponent"] > one["bound"] + NOISE]
    assert not fast, f"grows faster than n log n: {fast}"


def exponents(costs: Sequence[Cost], command: str) -> Iterator[dict[str, Any]]:
    """Of every three sizes in a row, in time and in memory."""
    own = [cost for cost in costs if cost.command == command]
    for three in zip(own, own[1:], own[2:], strict=False):
        sizes = [cost.size for cost in three]
        bound = exponent([n * math.log(n) for n in sizes])
        for of in ("seconds", "peak_mb"):
            found = exponent([getattr(cost, of) for cost in three])
            words = {"command": command, "of": of, "from": sizes[0], "to": sizes[-1]}
            yield {**words, "exponent": found, "bound": bound}


def forecast(costs: Sequence[Cost], command: str) -> dict[str, Any]:
    """What a size of LARGER would take: a + b n^p through the last three sizes, p at least 1."""
    three, larger = [cost for cost in costs if cost.command == command][-3:], LARGER[command]
    found: dict[str, Any] = {"command": command, "size": larger}
    for of in ("seconds", "peak_mb"):
        values = [getattr(cost, of) for cost in three]
        power = max(exponent(values), 1.0)
        steps = [(size / three[-1].size) ** power for size in (three[-2].size, larger)]
        slope = (values[-1] - values[-2]) / (1 - steps[0])
        found[of] = round(values[-1] + slope * (steps[1] - 1), 1)
    return found


def exponent(three: Sequence[float]) -> float:
    """p of a + b n^p through values at n, 10 n and 100 n; 0 where the last step is no larger.

    >>> round(exponent([2 + 3 * n**1.5 for n in (1, 10, 100)]), 6)
    1.5
    """
    first, second = three[1] - three[0], three[2] - three[1]
    if second <= max(first, 0):
        return 0.0
    return math.log10(second / first) if first > 0 else math.inf


def run(folder: Path, words: Sequence[str]) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak megabytes of a command in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", CHILD, *words]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seconds, processor, peak = map(float, (folder / "cost").read_text(encoding="utf-8").split())
    return seconds, processor, peak / 1024


def line(cost: Cost) -> str:
    return (
        f"{cost.command:<22}{cost.size:>10,} {UNIT[cost.command]:<10}{cost.seconds:>8.2f} s"
        f"{cost.processor:>8.2f} s of processor{cost.peak_mb:>8.0f} MB"
    )


Words = Callable[[int], list[str]]
"""The command's words for a repeat, which has outputs of its own."""


@contextmanager
def votes(folder: Path, size: int, classes: int = 4) -> Iterator[Words]:
    """Votes of so many classes, six for each item, by voters of different accuracy."""
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(0)
    item = np.repeat(np.arange(size // CAST), CAST)
    voter = (rng.integers(0, VOTERS, size // CAST)[:, None] + np.arange(CAST)).ravel() % VOTERS
    truth = rng.integers(0, classes, size // CAST)[item]
    right = rng.random(len(item)) < rng.uniform(0.4, 0.9, VOTERS)[voter]
    said = np.where(right, truth, (truth + rng.integers(1, classes, len(item))) % classes)
    csv.write_csv(pa.table({"id": item, "voter": voter, "answer": said}), folder / "votes.csv")
    names = json.dumps([f"{k}" for k in range(classes)])
    (folder / "labels.json").write_text(names, encoding="utf-8")
    yield lambda turn: ["weigh", "votes.csv", "--out", f"weighed-{turn}"]


def votes_of_many_classes(folder: Path, size: int) -> AbstractContextManager[Words]:
    """Votes of 10,000 classes: each item keeps those that its votes name."""
    return votes(folder, size, 10_000)


@contextmanager
def questions(folder: Path, size: int) -> Iterator[Words]:
    """Questions, and a server that answers them."""
    rows = ({"id": f"q{i}", "text": f"Is {i} an even number?"} for i in range(size))
    with (folder / "items.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    with server() as url:
        judge = {"kind": "api", "base_url": url, "model": "judge", "classes": ["no", "yes"]}
        words = ["label", "items.jsonl", "--supervisor", json.dumps({**judge, "queries": 1})]
        yield lambda turn: [*words, "--out", f"votes-{turn}.jsonl"]


ENDS = (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError)
"""How a connection of the server below may end."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server that answers "no" at once, as an OpenAI-compatible one does."""
    message = {"role": "assistant", "content": "no"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"model": "judge", "choices": [choice]}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    reply = f"{head}\r\n\r\n".encode() + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*ENDS):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                size = asked.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(size))
                writer.write(reply)
        writer.close()

    async def end() -> None:
        """No reader is left waiting when the loop closes."""
        start.result().close()
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    start = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", 0), loop)
    try:
        yield f"http://127.0.0.1:{start.result().sockets[0].getsockname()[1]}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def sentences(folder: Path, size: int) -> Iterator[Words]:
    """A study of one seed: a fifth as many weak rows as strong ones, and as many test rows."""
    from steelyard.data import generate

    few = size // 5
    classes, rows = generate(size + 2 * few, seed=0)
    for name, part in (("train", rows[2 * few :] + rows[:few]), ("test", rows[few : 2 * few])):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": t, "label": classes[k]}) + "\n" for t, k in part)
    study = {
        "task": "classification",
        "data": {
            "train": "train.jsonl",
            "test": "test.jsonl",
            "weak_train": few,
            "strong_train": size,
        },
        "supervisors": [{"kind": "tfidf", "voters": 5}],
        "student": {"kind": "probe", "model": "minilm"},
        "arms": ["majority", "filter"],
        "seeds": 1,
    }
    (folder / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    yield lambda turn: ["study", "study.yaml", "--workers", "1", "--out", f"run-{turn}"]


MAKE = {"weigh": votes, MANY: votes_of_many_classes, "label": questions, "study": sentences}
