"""Adaptive against uniform asking, replayed on crowd votes: label accuracy for the votes spent.

Each item's real votes are put into a random order and drawn without replacement. Uniform asking
draws the same number for each item, adaptive asking as `steelyard label --adaptive` does: two for
each item, then again where the posterior of `hierarchical` is least sure. On small sets also
`gain`: where the expected gain of one more vote is largest. Labels are those of `hierarchical` on
the votes drawn. Run: `python -m benchmarks.adaptive FOLDER_OF_DATA_SETS`.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.diagnostics.relabel import expected_gain
from steelyard.labelling.rounds import ask_next
from steelyard.reliability.hierarchical import Hierarchical
from steelyard.studies.results import environment
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.votes_io.read_votes import read_votes

SETS = ("bluebird", "face", "temporal", "weather", "dog", "rte", "zencrowd")
WITH_GAIN = ("bluebird", "face", "temporal", "weather")  # the small ones
ORDERS = 20
BUDGETS = (2.5, 3.0, 3.5, 4.0, 5.0)  # votes for each item, in the mean
UNIFORM = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
START = 2
ROUNDS = 4  # for each vote per item


@dataclass(frozen=True, eq=False)
class Replay:
    """Votes of a set in a random order for each item."""

    votes: Votes
    truth: Ints  # (N,), ABSTAIN where unknown
    place: Ints  # (M,), of a vote among its item's
    most: Ints  # (N,), votes there are of each item

    @classmethod
    def of(cls, votes: Votes, truth: Ints, seed: int) -> "Replay":
        draw = np.random.default_rng(seed).random(len(votes.answer))
        order = np.lexsort((draw, votes.example))
        most = np.bincount(votes.example, minlength=len(votes.ids))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order)) - (np.cumsum(most) - most)[votes.example[order]]
        return cls(votes, truth, place, most)

    def estimate(self, asked: Ints) -> Reliability:
        """What `hierarchical` makes of the first `asked` votes of each item."""
        drawn = self.place < asked[self.votes.example]
        columns = ("example", "voter", "query", "answer")
        part = {name: getattr(self.votes, name)[drawn] for name in columns}
        return Hierarchical().estimate(replace(self.votes, **part, probs=None))

    def accuracy(self, posterior: Floats) -> float:
        """Share of right labels where the truth is known; ties count for their share."""
        known = self.truth != ABSTAIN
        rows = posterior[known]
        best = rows >= rows.max(axis=1, keepdims=True) - 1e-9
        right: Floats = best[np.arange(len(rows)), self.truth[known]] / best.sum(axis=1)
        return float(right.mean())


def uniform(replay: Replay, budgets: Sequence[float]) -> list[float]:
    """Accuracy when every item is asked equally often; what is over goes to the first items."""
    scores = []
    for budget in budgets:
        asked = np.minimum(int(budget), replay.most)
        rest = round(budget * len(asked)) - int(asked.sum())
        while rest > 0 and (asked < replay.most).any():
            rows = np.flatnonzero(asked < replay.most)
            rows = rows[np.argsort(asked[rows], kind="stable")][:rest]
            asked[rows] += 1
            rest -= len(rows)
        scores.append(replay.accuracy(replay.estimate(asked).posterior))
    return scores


def adaptive(replay: Replay, budgets: Sequence[float], policy: str) -> list[tuple[float, float]]:
    """Votes spent for each item and accuracy, at each budget."""
    size = len(replay.most)
    asked = np.minimum(START, replay.most)
    found: list[tuple[float, float]] = []
    for budget in budgets:
        while True:
            reliability = replay.estimate(asked)
            left = round(budget * size) - int(asked.sum())
            rows = chosen(replay, reliability, asked, policy, min(left, size // ROUNDS))
            if len(rows) == 0:
                break
            asked[rows] += 1
        found.append((asked.sum() / size, replay.accuracy(reliability.posterior)))
    return found


def chosen(replay: Replay, reliability: Reliability, asked: Ints, policy: str, count: int) -> Ints:
    if count <= 0 or policy == "doubt":
        return ask_next(reliability.posterior, asked, replay.most, count)
    skill = reliability.skill
    assert skill is not None
    k = reliability.posterior.shape[1]
    votes = np.bincount(replay.votes.voter, minlength=len(skill.voters))
    right = float(np.clip((skill.accuracy * votes).sum() / votes.sum(), 1 / k + 0.01, 0.99))
    confusion = np.where(np.eye(k) > 0, right, (1 - right) / (k - 1))
    gain = expected_gain(reliability.posterior, confusion)
    doubt = 1 - reliability.posterior.max(axis=1)
    free = np.flatnonzero(asked < replay.most)
    order = np.lexsort((free, asked[free], -doubt[free], -gain[free]))
    return free[order][:count]


def replayed(path: Path, policies: Sequence[str]) -> dict[str, Any]:
    """All orders of one set."""
    ballots = read_votes(path, truth=("gold",), duplicates="last")
    replays = [Replay.of(ballots.votes, ballots.truth["gold"], seed) for seed in range(ORDERS)]
    return {
        "items": len(ballots.votes.ids),
        "votes": len(ballots.votes.answer),
        "uniform": [uniform(one, UNIFORM) for one in replays],
        **{policy: [adaptive(one, BUDGETS, policy) for one in replays] for policy in policies},
    }


def compared(found: dict[str, Any], policy: str) -> list[dict[str, Any]]:
    """Adaptive against uniform at each budget: means over orders, 95 % bootstrap over orders."""
    flat = np.array(found["uniform"])  # (orders, uniform budgets)
    spent, score = np.moveaxis(np.array(found[policy]), 2, 0)  # (orders, budgets) each
    draws = np.random.default_rng(0).integers(0, ORDERS, (2000, ORDERS))
    rows = []
    for b, budget in enumerate(BUDGETS):
        same = np.array([np.interp(spent[o, b], UNIFORM, flat[o]) for o in range(ORDERS)])
        better = score[:, b] - same
        needs = [needed(flat[d].mean(axis=0), score[d, b].mean()) for d in draws]
        saved = 1 - spent[draws, b].mean(axis=1) / np.array(needs)
        rows.append(
            {
                "budget": budget,
                "spent": spent[:, b].mean(),
                "uniform": same.mean(),
                "adaptive": score[:, b].mean(),
                "better": span(better.mean(), better[draws].mean(axis=1)),
                "saved": span(
                    1 - spent[:, b].mean() / needed(flat.mean(axis=0), score[:, b].mean()), saved
                ),
                "beyond": bool(score[:, b].mean() > flat.mean(axis=0).max()),
            }
        )
    return rows


def needed(curve: Floats, score: float) -> float:
    """Votes for each item that uniform asking needs for an accuracy; the most if it never gets it.

    The curve is made monotone first: votes never hurt but by chance.
    """
    monotone = np.maximum.accumulate(curve)
    return float(np.interp(score, monotone + np.arange(len(curve)) * 1e-12, UNIFORM))


def span(value: float, draws: Floats) -> dict[str, float]:
    low, high = np.quantile(draws, (0.025, 0.975))
    return {"value": float(value), "low": float(low), "high": float(high)}


def table(results: dict[str, Any], policy: str = "doubt") -> str:
    """Markdown, one row for each set and budget."""
    lines = [
        "| set | votes each | uniform | adaptive | better by | votes saved at equal accuracy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in results.items():
        for row in one.get(policy, []):
            better, saved = row["better"], row["saved"]
            most = ">= " if row["beyond"] else ""
            lines.append(
                f"| {name} | {row['spent']:.2f} | {row['uniform']:.3f} | {row['adaptive']:.3f} "
                f"| {better['value']:+.3f} [{better['low']:+.3f}, {better['high']:+.3f}] "
                f"| {most}{saved['value']:.0%} [{saved['low']:.0%}, {saved['high']:.0%}] |"
            )
    return "\n".join(lines)


def main(folder: Path) -> None:
    results: dict[str, Any] = {}
    for name in SETS:
        policies = ("doubt", "gain") if name in WITH_GAIN else ("doubt",)
        found = replayed(folder / f"crowd_{name}" / "train.jsonl.gz", policies)
        results[name] = {
            **{key: found[key] for key in ("items", "votes")},
            **{policy: compared(found, policy) for policy in policies},
        }
        print(table({name: results[name]}), flush=True)
    out = Path(__file__).parent / "results"
    out.mkdir(exist_ok=True)
    words = {"environment": environment(), "orders": ORDERS, "adaptive": results}
    (out / "adaptive.json").write_text(json.dumps(words, indent=1) + "\n")
    page = f"{table(results)}\n\nBy expected gain:\n\n{table(results, 'gain')}\n"
    (out / "adaptive.md").write_text(page)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
