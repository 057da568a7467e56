"""Every estimator on every open set of crowd votes and labelling functions, and crowd-kit's own.

`python -m benchmarks.crowd [FOLDER]` prints two Markdown tables and writes results/crowd.json. The
folder (default ../shared/data) has one folder per set with `train.jsonl.gz` (nested votes, gold)
and `labels.json`.
"""

import gzip
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import SteelyardError
from steelyard.reliability import ESTIMATORS
from steelyard.studies.results import environment
from steelyard.types import ABSTAIN, Ints, Votes

SLOW = 30_000
"""Votes above which crowd-kit's GLAD and MACE are left out: minutes each."""


def compare(folder: Path) -> list[dict[str, Any]]:
    """One entry per set: its sizes, and accuracy, AUROC, ECE and seconds of each method.

    Over examples with gold and at least one vote. Labels are the first of the best answers.
    """
    sets = sorted(path for kind in ("crowd_*", "wrench_*") for path in folder.glob(kind))
    return [_compare(path) for path in sets]


def _compare(folder: Path) -> dict[str, Any]:
    votes, gold = read(folder)
    heard = votes.counts.any(axis=1)
    judged = np.flatnonzero(heard & (gold != ABSTAIN))
    shares = votes.shares()[judged]
    best = shares == shares.max(axis=1, keepdims=True)
    sizes = {"examples": len(votes.ids), "votes": len(votes.answer), "voters": len(votes.voters)}
    entry: dict[str, Any] = {
        **{"set": folder.name, **sizes, "classes": votes.num_classes, "judged": len(judged)},
        "coverage": float(heard.mean()),
        "fair ties": float((best[np.arange(len(judged)), gold[judged]] / best.sum(axis=1)).mean()),
        **{"steelyard": {}, "crowd-kit": {}},
    }
    for kind, estimator in ESTIMATORS.items():
        start = time.perf_counter()
        try:
            reliability = estimator().estimate(votes)
        except (SteelyardError, ImportError) as error:
            entry["steelyard"][kind] = {"left out": str(error)}
            continue
        seconds = time.perf_counter() - start
        labels = reliability.posterior.argmax(axis=1)
        entry["steelyard"][kind] = _judge(labels, reliability.score, gold, judged, seconds)
    for name, method in crowd_kit().items():
        if name in ("GLAD", "MACE") and len(votes.answer) > SLOW:
            entry["crowd-kit"][name] = {"left out": f"more than {SLOW} votes"}
            continue
        start = time.perf_counter()
        rows = method.fit_predict_proba(frame(votes))
        seconds = time.perf_counter() - start
        labels, score = np.zeros(len(gold), dtype=np.int64), np.zeros(len(gold))
        labels[rows.index] = rows.idxmax(axis="columns")
        score[rows.index] = rows.max(axis="columns")
        entry["crowd-kit"][name] = _judge(labels, score, gold, judged, seconds)
    print(entry["set"], flush=True)
    return entry


def _judge(labels: Ints, score: Any, gold: Ints, judged: Ints, seconds: float) -> dict[str, Any]:
    from sklearn.metrics import roc_auc_score

    right, score = labels[judged] == gold[judged], score[judged]
    bins = np.minimum((score * 10).astype(int), 9)
    off = [abs(score[bins == b].sum() - right[bins == b].sum()) for b in range(10)]
    return {
        "accuracy": float(right.mean()),
        "auroc": None if right.all() else float(roc_auc_score(right, score)),
        "ece": float(sum(off) / len(judged)),
        "seconds": seconds,
    }


def read(folder: Path) -> tuple[Votes, Ints]:
    """Train votes, of a voter's votes on an example the last, and gold (ABSTAIN where unknown)."""
    with gzip.open(folder / "train.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    voters: dict[str, int] = {}
    entries = []
    for i, row in enumerate(rows):
        last = {vote["annotator"]: vote["label"] for vote in row["votes"]}
        entries += [(i, voters.setdefault(v, len(voters)), label) for v, label in last.items()]
    example, voter, answer = np.array(entries, dtype=np.int64).T
    classes = tuple(json.loads((folder / "labels.json").read_text()))
    gold = np.array([ABSTAIN if row["gold"] is None else row["gold"] for row in rows])
    votes = Votes(
        ids=tuple(str(row["id"]) for row in rows),
        voters=tuple(voters),
        queries=("unchanged",),
        example=example,
        voter=voter,
        query=np.zeros(len(example), dtype=np.int64),
        answer=answer,
        candidates=np.full(len(rows), len(classes)),
        classes=classes,
    )
    return votes, gold


def frame(votes: Votes) -> Any:
    """The votes as crowd-kit wants them."""
    import pandas

    return pandas.DataFrame({"task": votes.example, "worker": votes.voter, "label": votes.answer})


def crowd_kit() -> dict[str, Any]:
    """crowd-kit's aggregators with its own settings; none where it is not installed."""
    try:
        from crowdkit.aggregation import GLAD, MACE, DawidSkene, MajorityVote, OneCoinDawidSkene
    except ImportError:
        return {}
    return {
        "MajorityVote": MajorityVote(),
        "DawidSkene": DawidSkene(),
        "OneCoin": OneCoinDawidSkene(),
        "GLAD": GLAD(),
        "MACE": MACE(random_state=0),
    }


def tables(entries: list[dict[str, Any]]) -> str:
    """Sizes, accuracy, AUROC and ECE; without the accuracies that are the majority's everywhere."""
    methods = [("steelyard", kind) for kind in ESTIMATORS]
    methods += [("crowd-kit", name) for name in crowd_kit()]
    sizes = ["examples", "votes", "voters", "classes", "coverage", "judged"]
    lines = _table(
        ["set", *sizes],
        [
            [e["set"], *(f"{e[s]:.3f}" if s == "coverage" else str(e[s]) for s in sizes)]
            for e in entries
        ],
    )
    for key in ("accuracy", "auroc", "ece"):
        shown = [m for m in methods if key != "accuracy" or not _is_majority(m, entries)]
        head = [f"{key}, {'ck ' if side == 'crowd-kit' else ''}{name}" for side, name in shown]
        cells = [
            [e["set"], *(_cell(e[side][name].get(key)) for side, name in shown)] for e in entries
        ]
        lines += ["", *_table(["set", *head], cells)]
    return "\n".join(lines)


def _is_majority(method: tuple[str, str], entries: list[dict[str, Any]]) -> bool:
    side, name = method
    plain = [entry["steelyard"]["majority"]["accuracy"] for entry in entries]
    own = [entry[side][name].get("accuracy") for entry in entries]
    return name != "majority" and own == plain


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def main(folder: Path) -> None:
    if not folder.is_dir():
        print(f"no sets of votes in {folder}: left out")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas', of crowd-kit
        entries = compare(folder)
    print(tables(entries))
    place = Path(__file__).parent / "results" / "crowd.json"
    place.write_text(json.dumps({"environment": environment(), "sets": entries}, indent=1) + "\n")
    print(f"written: benchmarks/results/{place.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data"))
