"""Dependent voters: simulated juries with copies, groups and none, and the real vote sets.

Labels right by the majority, `hierarchical` and `robust`, and whether `robust` says that votes
cannot decide. Thresholds of `reliability.dependence` were chosen on these simulated juries (other
seeds) and with the real sets in view: in-sample. Run: `python -m benchmarks.juries FOLDER`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import steelyard as sy
from steelyard.reliability.robust import VoteAnalysis
from steelyard.studies.results import environment
from steelyard.types import Ints, Votes
from steelyard.votes_io.read_votes import read_votes

SEEDS = 10
JUDGES = (0.9, 0.85, 0.75, 0.6, 0.4)
WORLDS: dict[str, tuple[int, int, tuple[float, ...], tuple[tuple[int, float], ...]]] = {
    # items, classes, skills of independent voters, (voter, share of its answers copied)
    "one copied 100 %": (500, 3, JUDGES, ((2, 1.0),)),
    "one copied 95 %": (500, 3, JUDGES, ((2, 0.95),)),
    "one copied 80 %": (500, 3, JUDGES, ((2, 0.8),)),
    "one copied 50 %": (500, 3, JUDGES, ((2, 0.5),)),
    "two classes, copied 95 %": (200, 2, JUDGES, ((2, 0.95),)),
    "two classes, copied 50 %": (200, 2, JUDGES, ((2, 0.5),)),
    "two copies 90 %": (500, 3, JUDGES, ((2, 0.9), (2, 0.9))),
    "four of eight share 70 %": (500, 3, JUDGES, ((2, 0.7),) * 3),
    "independent": (500, 3, JUDGES, ()),
    "independent, two experts": (400, 2, (0.95, 0.95, 0.6, 0.6, 0.6), ()),
    "independent, nine alike": (300, 2, (0.8,) * 9, ()),
    "random answers": (120, 4, (0.25,) * 5, ()),
}


def world(name: str, seed: int) -> tuple[Votes, Ints]:
    """Votes of a simulated jury, and the truth."""
    size, k, skills, copies = WORLDS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    truth = rng.integers(0, k, size)

    def voter(skill: float) -> Ints:
        wrong = (truth + rng.integers(1, k, size)) % k
        return np.where(rng.random(size) < skill, truth, wrong)

    columns = [voter(skill) for skill in skills]
    for source, share in copies:
        answers = voter(skills[source])
        columns.append(np.where(rng.random(size) < share, columns[source], answers))
    answer = np.array(columns).T
    example, number = np.indices(answer.shape)
    votes = sy.Votes(
        ids=tuple(map(str, range(size))),
        voters=tuple(f"v{v}" for v in range(answer.shape[1])),
        queries=("unchanged",),
        example=example.ravel(),
        voter=number.ravel(),
        query=np.zeros(answer.size, dtype=np.int64),
        answer=answer.ravel(),
        candidates=np.full(size, k),
        classes=tuple(map(str, range(k))),
    )
    return votes, truth


def measured(votes: Votes, truth: Ints) -> dict[str, Any]:
    """Label accuracy of each method on items of known truth, ties in expectation."""
    rows = np.flatnonzero((truth >= 0) & votes.answered)
    accuracy = {}
    for method in (sy.Majority(), sy.Hierarchical(), sy.Robust()):
        posterior = method.estimate(votes).posterior[rows]
        best = posterior >= posterior.max(axis=1, keepdims=True) - 1e-12
        right = best[np.arange(len(rows)), truth[rows]] / best.sum(axis=1)
        accuracy[method.kind] = float(right.mean())
    analysis = VoteAnalysis(votes)
    dependence = analysis.dependence
    return {
        **accuracy,
        "families": len(dependence.families),
        "groups": len(dependence.groups),
        "undecided": analysis.undecided,
    }


def main() -> None:
    folder = Path(sys.argv[1])
    results: dict[str, Any] = {"worlds": {}, "sets": {}}
    for name in WORLDS:
        runs = [measured(*world(name, seed)) for seed in range(SEEDS)]
        means = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
        results["worlds"][name] = means
        print(name, {key: round(mean, 3) for key, mean in means.items()}, flush=True)
    paths = sorted(folder.glob("*/train.jsonl.gz"))
    for path in [*paths, folder / "judges_llmbar" / "six_judges.jsonl.gz"]:
        if not path.parent.name.startswith(("crowd_", "wrench_", "judges_")):
            continue
        if path.parent.name == "judges_llmbar" and path.name == "train.jsonl.gz":
            continue
        table = read_votes(path, truth=("gold",), duplicates="last")
        results["sets"][path.parent.name] = measured(table.votes, table.truth["gold"])
        print(path.parent.name, results["sets"][path.parent.name], flush=True)
    results["environment"] = environment()
    out = Path(__file__).parent / "results" / "juries.json"
    out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
