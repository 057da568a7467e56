"""Time and peak memory of estimators on large tables, ours and crowd-kit's.

`python -m benchmarks estimators`. Each side runs in a process of its own, by turns. Voters have one
accuracy between 0.4 and 0.9; each example has votes of as many of them as `cast`, drawn at random
(100 classes: 0.5 M votes). The two sides that take as many steps must have equal accuracies.
crowd-kit's time leaves out its imports and the making of its data frame.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.apart import by_turns, compare, figure, peak_mb
from benchmarks.crowd import frame
from benchmarks.race import Claim, write
from steelyard.reliability import ESTIMATORS, DawidSkene
from steelyard.types import Floats, Ints, Votes

TABLES: dict[str, dict[str, Any]] = {
    "90 k votes": {"examples": 20_000, "voters": 20, "cast": 4.5, "classes": 4},
    "0.9 M votes": {"examples": 200_000, "voters": 20, "cast": 4.5, "classes": 4},
    "6 M votes": {"examples": 1_000_000, "voters": 2400, "cast": 6, "classes": 4},
    "100 classes": {"examples": 100_000, "voters": 500, "cast": 5, "classes": 100},
}
QUICK = "90 k votes"
TURNS = 3
STEPS = 5
"""Of EM on both sides: as many as crowd-kit's takes by itself at 0.9 M votes."""
PAIRS = (
    ("Dawid-Skene", "dawid_skene, 5 steps", "crowd-kit, the same 5 steps", 6.0),
    ("Dawid-Skene", "dawid_skene", "crowd-kit, each to its own stop", None),
    ("vote entropy", "vote_entropy", "crowd-kit MajorityVote, scipy entropy", None),
)
ALONE = ("majority", "one_coin", "hierarchical", "dirichlet")
EQUAL = 1e-6
"""Accuracy and mean score of two sides that do the same."""

Way = Callable[[Votes], Callable[[], tuple[Ints, Floats]]]
"""Given a table, what is timed: it returns labels and scores, (N,)."""


def steelyards(estimator: Any) -> Way:
    def prepared(votes: Votes) -> Callable[[], tuple[Ints, Floats]]:
        def estimate() -> tuple[Ints, Floats]:
            found = estimator.estimate(votes)
            return found.posterior.argmax(axis=1), found.score

        return estimate

    return prepared


def crowd_kits(name: str, **settings: Any) -> Way:
    def prepared(votes: Votes) -> Callable[[], tuple[Ints, Floats]]:
        from crowdkit import aggregation
        from scipy.stats import entropy

        warnings.simplefilter("ignore")  # pandas', of crowd-kit
        data, aggregator = frame(votes), getattr(aggregation, name)(**settings)

        def estimate() -> tuple[Ints, Floats]:
            rows = aggregator.fit_predict_proba(data).reindex(columns=range(votes.num_classes))
            table = rows.to_numpy()[np.argsort(rows.index)]
            if name == "DawidSkene":
                return table.argmax(axis=1), table.max(axis=1)
            return table.argmax(axis=1), 1 - entropy(table, axis=1) / np.log(votes.num_classes)

        return estimate

    return prepared


SIDES: dict[str, Way] = {
    **{kind: steelyards(cls()) for kind, cls in ESTIMATORS.items()},
    PAIRS[0][1]: steelyards(DawidSkene(iterations=STEPS, tolerance=0)),
    PAIRS[0][2]: crowd_kits("DawidSkene", n_iter=STEPS, tol=-np.inf),
    PAIRS[1][2]: crowd_kits("DawidSkene"),
    PAIRS[2][2]: crowd_kits("MajorityVote"),
}


def measure(table: str, side: str) -> dict[str, float]:
    """One side on one table, in this process; `base_mb` is the process before it."""
    votes, truth = draw(**TABLES[table])
    do = SIDES[side](votes)
    base, start = peak_mb(), time.perf_counter()
    labels, score = do()
    seconds = time.perf_counter() - start
    return {
        **{"seconds": seconds, "peak_mb": peak_mb(), "base_mb": base},
        **{"accuracy": float((labels == truth).mean()), "mean_score": float(score.mean())},
    }


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
        queries=("unchanged",),
        example=example,
        voter=voter,
        query=np.zeros(size, dtype=np.int64),
        answer=np.where(rng.random(size) < right[voter], truth[example], other),
        candidates=np.full(examples, classes),
        classes=tuple(map(str, range(classes))),
    )
    return votes, truth


def main(quick: bool) -> None:
    try:
        import crowdkit  # noqa: F401
    except ImportError:
        print("left out: crowd-kit is not installed; `pip install 'steelyard[crowd]'`")
        return
    turns = 1 if quick else TURNS
    claims: list[Claim] = []
    figures: list[dict[str, Any]] = []
    for table in [QUICK] if quick else [name for name in TABLES if name != QUICK]:
        large = table == "100 classes"  # crowd-kit takes minutes to its own stop
        for what, ours, theirs, target in PAIRS[:1] if large else PAIRS:
            sides = [(table, ours), (table, theirs)]
            found = by_turns("benchmarks.estimators", sides, turns)
            mine, other = (
                figure(one, table=table, side=side)
                for side, one in zip((ours, theirs), found, strict=True)
            )
            figures += [mine, other]
            if "own stop" not in theirs:
                for key in ("accuracy", "mean_score"):
                    off = abs(mine[key] - other[key])
                    assert off <= EQUAL, f"{what}, {table}: `{key}` differs by {off}"
            claims += compare(f"{what}, {table}", theirs, *found, target)
            print(_line(mine), _line(other), sep="\n", flush=True)
        for side in () if quick or large else ALONE:
            (one,) = by_turns("benchmarks.estimators", [(table, side)], 1)
            figures.append(figure(one, table=table, side=side))
            print(_line(figures[-1]), flush=True)
    write("estimators", claims, {"estimators": figures}, quick)


def _line(one: dict[str, Any]) -> str:
    return (
        f"{one['table']:<26}{one['side']:<39}{one['seconds']:>8.2f} s{one['peak_mb']:>7.0f} MB"
        f" (table {one['base_mb']:.0f} MB)  accuracy {one['accuracy']:.6f}"
    )


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
