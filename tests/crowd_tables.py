"""Crowds for tests: drawn from a known model, or read from the real sets."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.types import ABSTAIN, Ints, Votes


def table_of(
    example: Any, voter: Any, answer: Any, sizes: tuple[int, int, int], **changes: Any
) -> Votes:
    """Votes with shared classes; sizes are examples, voters, answers."""
    order = np.argsort(example, kind="stable")
    n, v, k = sizes
    plain: dict[str, Any] = {
        "ids": tuple(f"q{i}" for i in range(n)),
        "voters": tuple(f"v{j}" for j in range(v)),
        "queries": ("unchanged",),
        "example": np.asarray(example)[order],
        "voter": np.asarray(voter)[order],
        "query": np.zeros(len(order), dtype=np.int64),
        "answer": np.asarray(answer)[order],
        "candidates": np.full(n, k),
        "classes": tuple(f"class {c}" for c in range(k)),
    }
    return Votes(**{**plain, **changes})


def drawn(
    seed: int,
    *,
    examples: int,
    voters: int,
    answers: int,
    cast: int,
    confusion: Any = None,
    prior: Any = None,
    soft: bool = False,
) -> tuple[Votes, Ints]:
    """Votes drawn from confusion matrices (V, K, K), and the truth. Each example has `cast` votes.

    Without `confusion`, voters are right with an accuracy between 0.5 and 0.95.
    """
    rng = np.random.default_rng(seed)
    truth = rng.choice(answers, examples, p=prior)
    if confusion is None:
        right = rng.uniform(0.5, 0.95, (voters, 1, 1))
        confusion = np.where(np.eye(answers), right, (1 - right) / max(answers - 1, 1))
    who = np.argsort(rng.random((examples, voters)), axis=1)[:, :cast].ravel()
    example = np.repeat(np.arange(examples), cast)
    heights = np.cumsum(np.asarray(confusion)[who, truth[example]], axis=1)
    answer = (rng.random((len(who), 1)) > heights).sum(axis=1).clip(0, answers - 1)
    changes = {}
    if soft:
        changes["probs"] = 0.8 * np.eye(answers)[answer] + 0.2 * rng.dirichlet(
            np.ones(answers), len(answer)
        )
    return table_of(example, who, answer, (examples, voters, answers), **changes), truth


def read_nested(folder: Path) -> tuple[Votes, Ints]:
    """Train votes of a real set, the last of a voter on an example, and gold (ABSTAIN: none)."""
    with gzip.open(folder / "train.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    voters: dict[str, int] = {}
    votes = []
    for i, row in enumerate(rows):
        last = {vote["annotator"]: vote["label"] for vote in row["votes"]}
        votes += [(i, voters.setdefault(name, len(voters)), label) for name, label in last.items()]
    gold = [ABSTAIN if row["gold"] is None else row["gold"] for row in rows]
    classes = len(json.loads((folder / "labels.json").read_text()))
    example, voter, answer = np.array(votes, dtype=np.int64).T
    return table_of(example, voter, answer, (len(rows), len(voters), classes)), np.array(gold)


def crowd_kit_frame(votes: Votes) -> Any:
    """The readable votes as crowd-kit wants them."""
    import pandas

    read = votes.answer != ABSTAIN
    columns = {"task": votes.example, "worker": votes.voter, "label": votes.answer}
    return pandas.DataFrame({name: column[read] for name, column in columns.items()})


def accuracy(posterior: Any, votes: Votes, gold: Ints) -> float:
    """Over examples with gold and a vote; a tie counts as the chance to break it rightly."""
    rows = np.flatnonzero((gold != ABSTAIN) & votes.counts.any(axis=1))
    best = posterior[rows] >= posterior[rows].max(axis=1, keepdims=True) - 1e-9
    return float((best[np.arange(len(rows)), gold[rows]] / best.sum(axis=1)).mean())
