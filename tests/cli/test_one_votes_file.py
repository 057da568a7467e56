"""One votes file through both commands: `weigh` and `study` read the same votes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from steelyard.store.store import Store
from steelyard.types import Votes

SPELLINGS = {
    "whole": lambda number: str(number),
    "as pandas writes a column with gaps": lambda number: f"{number}.0",
    "by name": lambda number: ("cook", "trip")[number],
}


def table(votes: Votes) -> dict[tuple[str, str], int]:
    keys = zip(votes.example, votes.voter, votes.answer, strict=True)
    return {(votes.ids[i], votes.voters[v]): int(answer) for i, v, answer in keys}


def test_both_commands_read_the_same_votes(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    """48 items, a voter for each spelling, each with gaps written as `nan`, "" or -1."""
    import steelyard as sy

    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {"id": [f"train-{n}" for n in range(1, 49)]}
    for missing in ("nan", "", "-1"):
        for how, spell in SPELLINGS.items():
            numbers = rng.integers(0, 2, 48)
            answers = [spell(number) for number in numbers]
            columns[f"{how}, {missing}"] = [
                missing if rng.random() < 0.2 else answer for answer in answers
            ]
    pd.DataFrame(columns).to_csv(tmp_path / "votes.csv", index=False)
    put(
        tmp_path,
        data={"train": "train.jsonl", "test": "test.jsonl", "weak_train": 0},
        supervisors=[{"kind": "votes", "path": "votes.csv"}],
        files={"labels.json": json.dumps(["cook", "trip"])},
        seeds=[0],
    )
    weighed = steelyard("weigh", "votes.csv", "--method", "majority", "--out", "weighed")
    assert weighed.code == 0, weighed.err
    studied = steelyard("study", "study.yaml", "--workers", 1, "--out", "run")
    assert studied.code == 0, studied.err
    by_weigh = table(sy.weigh(tmp_path / "votes.csv", ["majority"]).votes)
    store = Store(tmp_path / "run" / "store", read_only=True)
    (folder,) = store.root.glob("votes-*")
    recipe = store.recipe(folder.name)
    assert recipe is not None
    content = store.keep("votes", recipe, lambda _: {})
    tables = [value for value in content.values() if isinstance(value, Votes)]
    by_study = {key: answer for votes in tables for key, answer in table(votes).items()}
    assert len(by_study) > 300
    assert {key: by_weigh[key] for key in by_study} == by_study
