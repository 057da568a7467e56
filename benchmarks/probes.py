"""Probes on features: blocks of neighbours against the full matrix, in time and in memory.

`python -m benchmarks probes`. EleutherAI/w2s takes all distances at once (`torch.cdist`, `topk`)
and makes a full matrix of edges; its way is written anew here. Each side runs in a process of its
own, for its peak memory, and they alternate. Features are those of the shape of MiniLM: 384 numbers
around the mean of their class. Ours alone runs at 100,000 examples, for its memory: the full matrix
would take 40 GB there.
"""

import json
import os
import sys
import time
from typing import Any

import numpy as np

from benchmarks.apart import by_turns, compare, figure, peak_mb
from benchmarks.race import write
from steelyard.reliability import FEATURE_ESTIMATORS
from steelyard.types import Floats, Votes

WIDTH, K, TURNS, LARGE = 384, 50, 3, 100_000
KINDS = ("knn", "topological")
DIFFER = 0.01
"""Share of the predictions that may differ. `torch.cdist` multiplies in float32, scikit-learn in
float64, so that the 50th neighbour of one example in some hundreds is another one."""


def draw(size: int) -> tuple[Votes, np.ndarray]:
    """Votes of five voters, right 7 times in 10, and features (size, 384)."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, size)
    said = np.where(rng.random((size, 5)) < 0.7, truth[:, None], 1 - truth[:, None])
    centres = rng.standard_normal((2, WIDTH))
    features = rng.standard_normal((size, WIDTH), dtype=np.float32)
    for label in (0, 1):
        features[truth == label] += centres[label].astype(np.float32)
    votes = Votes(
        ids=tuple(map(str, range(size))),
        voters=tuple(map(str, range(5))),
        queries=("unchanged",),
        example=np.repeat(np.arange(size), 5),
        voter=np.tile(np.arange(5), size),
        query=np.zeros(size * 5, dtype=np.int64),
        answer=said.ravel(),
        candidates=np.full(size, 2),
        classes=("no", "yes"),
    )
    return votes, features


def ours(kind: str, votes: Votes, features: np.ndarray) -> Floats:
    estimator: Any = FEATURE_ESTIMATORS[kind]()
    posterior: Floats = estimator.estimate(votes, features).posterior
    return posterior[:, 1]


def full_matrix(kind: str, votes: Votes, features: np.ndarray) -> Floats:
    """The prediction for each example from all distances at once."""
    import torch
    from scipy.sparse.csgraph import connected_components

    x, y = torch.from_numpy(features), torch.from_numpy(votes.means()[:, 1])
    if kind == "knn":
        near = torch.cdist(x, x).topk(K, largest=False).indices
        return np.asarray(y[near].mean(dim=1))
    distance = torch.cdist(x, x).fill_diagonal_(torch.inf)
    near = distance.topk(K, largest=False).indices
    edges = torch.zeros(len(x), len(x), dtype=torch.bool)
    edges.scatter_(1, near, value=True)
    inside = torch.zeros(len(x), dtype=torch.bool)
    for of_class in (y > 0.5, y <= 0.5):
        _, part = connected_components((edges & of_class[:, None]).numpy(), connection="strong")
        inside |= torch.from_numpy(part == np.bincount(part).argmax())
    distance = torch.cdist(x, x[inside])
    distance[inside.nonzero()[:, 0], torch.arange(int(inside.sum()))] = torch.inf
    near = distance.topk(K, largest=False).indices
    return np.asarray(y[inside][near].mean(dim=1))


SIDES = {"ours": ours, "full matrix": full_matrix}


def measure(size: int, kind: str, side: str) -> dict[str, Any]:
    """Seconds and peak memory of this process, and what is predicted for the first thousand."""
    SIDES[side](kind, *draw(200))  # its libraries are read before the clock runs
    votes, features = draw(size)
    start = time.perf_counter()
    found = SIDES[side](kind, votes, features)
    seconds = time.perf_counter() - start
    threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    numbers = {"seconds": seconds, "peak_mb": peak_mb(), "threads": threads}
    return {**numbers, "predicted": found[:1000].tolist()}


def main(quick: bool) -> None:
    size, turns = (3_000, 1) if quick else (20_000, TURNS)
    claims, figures = [], []
    for kind in KINDS:
        sides = [(str(size), kind, side) for side in SIDES]
        found = by_turns("benchmarks.probes", sides, turns)
        ours, theirs = (np.array([turn.pop("predicted") for turn in one])[0] for one in found)
        off = float((np.abs(ours - theirs) > 1e-6).mean())
        assert off <= DIFFER, f"{kind}: {off:.1%} of the predictions differ"
        claims += compare(f"{kind}, {size:,} x {WIDTH}", "full matrix, EleutherAI's way", *found)
        for side, one in zip(SIDES, found, strict=True):
            figures.append(figure(one, kind=kind, side=side, examples=size, differ=off))
            print(_line(figures[-1]), flush=True)
    for kind in FEATURE_ESTIMATORS if not quick else ():
        (found,) = by_turns("benchmarks.probes", [(str(LARGE), kind, "ours")], 1)
        row = {"kind": kind, "side": "ours", "examples": LARGE}
        figures.append({**row, "peak_mb": found[0]["peak_mb"], "threads": found[0]["threads"]})
        print(_line(figures[-1]), flush=True)
    write("probes", claims, {"probes": figures}, quick)


def _line(one: dict[str, Any]) -> str:
    seconds = f"{one['seconds']:>9.2f} s" if "seconds" in one else " " * 11
    what = f"{one['kind']:<14}{one['side']:<14}{one['examples']:>8,}"
    return f"{what}{seconds}{one['peak_mb']:>8.0f} MB"


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2], sys.argv[3])))
