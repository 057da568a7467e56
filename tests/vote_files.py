"""Rows of files of votes, and what `weigh` leaves of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

NAN = float("nan")
Weigh = Callable[..., Any]


def vote(item: Any, voter: Any, answer: Any, **more: Any) -> dict[str, Any]:
    return {"id": item, "voter": voter, "answer": answer, **more}


GOOD = [vote(f"q{i}", voter, "ham" if i % 2 else "spam") for i in range(4) for voter in "ab"]
HEADER = "id,voter,answer\n"
FEW = f"{HEADER}q1,ann,ham\nq1,bob,spam\nq2,ann,ham\n"
CLASSES = {"labels.json": '["ham", "spam"]'}


def columns(**changes: Any) -> dict[str, Any]:
    """A Parquet file of long votes with one column changed."""
    return {"id": ["q1", "q1", "q2"], "voter": ["a", "b", "a"], "answer": [0, 1, 1], **changes}


def labels(tmp_path: Path) -> list[tuple[str, str | None, float]]:
    table = pq.read_table(tmp_path / "out" / "reliability.parquet").to_pylist()
    return [(row["id"], row["label"], row["score"]) for row in table]


def summary(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "out" / "summary.json").read_text())
    return found
