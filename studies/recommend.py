"""What past studies say of each arm, and the regret of recommending: `recommend.py RUN...`.

Each RUN is the folder of a finished study with `recommend: true`, all with the same arms. Writes
src/steelyard/studies/past_gains.json, the gains that `steelyard study --recommend` weighs, and
studies/results/regret.json: for each data set the arm that is recommended with the gains of the
other sets alone, and how much better the best arm is.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.evaluation.expected_gains import PastGains, expected_gains
from steelyard.evaluation.over_datasets import random_effects
from steelyard.store.store import Store
from steelyard.studies.config import read_study
from steelyard.studies.pilot import MAJORITY, pilot_run, pilot_scores
from steelyard.studies.results.recommended import choose
from steelyard.studies.run import Run

HERE = Path(__file__).parent
PAST = HERE / "../src/steelyard/studies/past_gains.json"
USE_GOLD = ("gold_only", "gold_and_weak", "refine_gold")


def main(folders: list[Path]) -> None:
    studies = [json.loads((f / "results.json").read_text(encoding="utf-8")) for f in folders]
    scores = [true_scores(results) for results in studies]
    arms = tuple(name for name in scores[0] if name != MAJORITY)
    gains = np.array([[of[arm] - of[MAJORITY] for arm in arms] for of in scores])
    within = np.mean([over_draws(results, arms) for results in studies], axis=0)
    past = PastGains(tuple(results["data"]["name"] for results in studies), arms, gains, within)
    stored = {
        "sets": past.sets,
        "arms": arms,
        "gains": np.round(gains, 4).tolist(),
        "within": np.round(within, 6).tolist(),
    }
    PAST.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    rows = [
        regret(folder, results, of, past)
        for folder, results, of in zip(folders, studies, scores, strict=True)
    ]
    kept = {"sets": rows, "means": {key: mean_of(rows, key) for key in ("all", "votes_alone")}}
    (HERE / "results" / "regret.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(kept["means"], indent=1))


def true_scores(results: dict[str, Any]) -> dict[str, float]:
    """Mean test score of each arm and reference."""
    arms = {n: a for n, a in results["arms"].items() if a["role"] == "arm"}
    parts = {**results["references"], **arms}
    return {name: part["score"]["value"] for name, part in parts.items() if part["score"]}


def over_draws(results: dict[str, Any], arms: tuple[str, ...]) -> Any:
    """Covariance of the arms' gains over seeds, which draw other labelled rows, (P, P)."""
    parts = {**results["references"], **results["arms"]}
    scores = {n: np.array([s["score"] for s in parts[n]["seeds"]]) for n in (*arms, MAJORITY)}
    return np.cov(np.array([scores[arm] - scores[MAJORITY] for arm in arms]))


def regret(
    folder: Path, results: dict[str, Any], of: dict[str, float], past: PastGains
) -> dict[str, Any]:
    """The recommended arm with the past of other sets, and what it loses to the best one."""
    run = Run(
        read_study(folder / "study.lock.yaml"), Store(folder / "store", read_only=True), folder
    )
    pilot = pilot_scores(pilot_run(run))
    name = results["data"]["name"]
    gap = results["ceiling"]["value"] - results["weak"]["value"]
    has_gap = results["arms"][MAJORITY]["pgr"] is not None  # clear of 0
    row: dict[str, Any] = {"set": name, "gap": round(gap, 4)}
    for key, use_gold in (("all", True), ("votes_alone", False)):
        arms = tuple(a for a in past.arms if use_gold or a not in USE_GOLD)
        expected = expected_gains(arms, past.without(name), pilot.over_majority(arms))
        chosen = choose(expected, arms)
        among = {arm: of[arm] for arm in (*arms, MAJORITY)}
        best = max(among, key=lambda arm: among[arm])
        others = {arm: among[arm] for arm in (MAJORITY, "naive", "gold_only") if arm in among}
        row[key] = {
            "recommended": chosen,
            "best": best,
            "regret": round(among[best] - among[chosen], 4),
            "regret_pgr": round((among[best] - among[chosen]) / gap, 3) if has_gap else None,
            "gain_over": {arm: round(among[chosen] - score, 4) for arm, score in others.items()},
        }
    return row


def mean_of(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Mean regret, and the gain over each simple choice as a random-effects mean."""
    names = rows[0][key]["gain_over"]
    gains = {arm: [row[key]["gain_over"][arm] for row in rows] for arm in names}
    shares = [row[key]["regret_pgr"] for row in rows if row[key]["regret_pgr"] is not None]
    return {
        "sets": len(rows),
        "regret": round(float(np.mean([row[key]["regret"] for row in rows])), 4),
        "regret_pgr": round(float(np.mean(shares)), 3),
        "sets_with_gap": len(shares),
        "gain_over": {
            arm: {
                "mean": round(float(np.mean(values)), 4),
                "interval": [round(end, 4) for end in _ends(values)],
                "least": min(values),
            }
            for arm, values in gains.items()
        },
    }


def _ends(values: list[float]) -> tuple[float, float]:
    """Interval of the mean over data sets, each with its difference taken for exact."""
    mean = random_effects(values, [1e-6] * len(values)).mean
    return mean.low, mean.high


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
