"""formats.md names every key and column that `weigh` and `label` write."""

import csv
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

import steelyard as sy
from steelyard.store.reply_ledger import Ledger

TEXT = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def table(start: str, end: str = "\n## ") -> set[str]:
    """What stands in backticks in the first column of a table."""
    lines = TEXT.partition(start)[2].partition(end)[0].splitlines()
    cells = [line.split("|")[1] for line in lines if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def paths(value: Any, place: str = "") -> Iterator[str]:
    """Keys in a JSON value as formats.md writes them; a span counts as one."""
    if place:
        yield place
    if isinstance(value, dict) and not {"value", "low", "high"} <= set(value):
        for key, part in value.items():
            name = "NAME" if place == "methods" else key
            yield from paths(part, ".".join(filter(None, (place, name))))
    for part in value if isinstance(value, list) else ():
        if isinstance(part, dict):
            for key, inner in part.items():
                yield from paths(inner, f"{place}[].{key}")


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weighing with everything: truth, gold, alpha, a copy, doubtful items."""
    folder = tmp_path_factory.mktemp("weighed")
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    accuracy = (0.8, 0.75, 0.7, 0.65, 0.6, 0.85, 0.7)
    wrong = [(truth + rng.integers(1, 3, 400)) % 3 for _ in accuracy]
    votes = [np.where(rng.random(400) < a, truth, w) for a, w in zip(accuracy, wrong, strict=True)]
    votes.append(np.where(rng.random(400) < 0.95, votes[4], votes[0]))
    rows = ["id,a,b,c,d,e,f,g,copy,truth,known"]
    for i, label in enumerate(truth):
        said = ",".join("xyz"[vote[i]] for vote in votes)
        rows.append(f"i{i},{said},{'xyz'[label]},{'' if i % 20 else 'xyz'[label]}")
    (folder / "votes.csv").write_text("\n".join(rows), encoding="utf-8")
    sy.weigh(folder / "votes.csv", truth="truth", gold="known", alpha=0.1, out=folder / "out")
    return folder / "out"


def asked_in_two_orders() -> dict[str, Any]:
    """A summary with what the file above has not: queries, slices, a model beside people."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    rows = [
        {"id": f"i{i}", "voter": voter, "query": query, "answer": int(label), "batch": f"b{i % 2}"}
        for i, right in enumerate(truth)
        for voter in ("ann", "bob", "cyd", "model")
        for query in ("swap = False", "swap = True")
        for label in [right if rng.random() < 0.8 else 1 - right]
    ]
    given = {f"i{i}": int(right) for i, right in enumerate(truth)}
    return sy.weigh(rows, truth=given, slices="batch", judges=["model"]).summary


def test_every_key_of_the_summary_is_documented(weighed: Path) -> None:
    found = set(paths(json.loads((weighed / "summary.json").read_text(encoding="utf-8"))))
    found |= set(paths(asked_in_two_orders()))
    parents = {key[: end.start()] for key in found for end in re.finditer(r"\.|\[\]", key)}
    documented = table("## summary.json")
    assert sorted(found - documented - parents) == []
    assert sorted(documented - found) == []


def test_every_column_of_a_weighing_is_documented(weighed: Path) -> None:
    names = set(pyarrow.parquet.read_schema(weighed / "reliability.parquet").names)
    documented = table("`reliability.parquet`, a row", "`labels.csv`, in the same order")
    assert documented == names | {"candidates"}  # of open answers
    with (weighed / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
        columns = table("`labels.csv`, in the same order", "`voters.csv`;")
        assert columns == {*next(csv.reader(file)), "slice", "text"}
    with (weighed / "voters.csv").open(encoding="utf-8", newline="") as file:
        assert table("`voters.csv`;") == set(next(csv.reader(file)))


def test_every_column_of_the_ledger_is_documented(tmp_path: Path) -> None:
    Ledger(tmp_path / "l.sqlite").close()
    database = sqlite3.connect(tmp_path / "l.sqlite")
    columns = {row[1] for row in database.execute("PRAGMA table_info(answers)")}
    database.close()
    assert table("## The ledger") == columns
