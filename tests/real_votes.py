"""Nested votes of the real crowd sets, read without the reader under test."""

import gzip
import json
from pathlib import Path

import numpy as np

from crowds import table
from steelyard.types import ABSTAIN, Ints, Votes


def read_nested(path: Path) -> tuple[Votes, Ints]:
    """Votes and truth, ABSTAIN where unknown."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    classes = json.loads((path.parent / "labels.json").read_text(encoding="utf-8"))
    number = {str(name): i for i, name in enumerate(classes)}

    def of(answer: object) -> int:
        return answer if isinstance(answer, int) else number[str(answer)]

    voters: dict[str, int] = {}
    cast = [
        (i, voters.setdefault(vote["annotator"], len(voters)), of(vote["label"]))
        for i, row in enumerate(rows)
        for vote in row["votes"]
    ]
    gold = [ABSTAIN if row.get("gold") is None else of(row["gold"]) for row in rows]
    columns = np.array(cast).T
    return table(*columns, len(rows), len(voters), len(classes)), np.array(gold)
