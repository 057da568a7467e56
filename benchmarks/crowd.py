"""Every estimator on every open set of votes, with crowd-kit's and cleanlab's own in the same run.

`python -m benchmarks.crowd [FOLDER]` prints Markdown tables and writes results/crowd.json.
FOLDER (default ../shared/data) has a folder per set with `train.jsonl.gz` (nested votes, gold) and
`labels.json`. Every set was in view while the estimators were made: the figures are in-sample.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.diagnostics.voters import judge_voters
from steelyard.errors import SteelyardError
from steelyard.io.rows import read_rows
from steelyard.reliability import ESTIMATORS
from steelyard.reliability.robust import VoteAnalysis
from steelyard.studies.results import environment
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Votes
from steelyard.votes_io.read_votes import read_votes

SLOW = 30_000
"""Votes above which crowd-kit's GLAD and MACE are left out: minutes each."""
MANY_VOTES = 100
"""Votes from which a voter's range is compared with its accuracy."""
JUDGES = "judges_llmbar/six_judges.jsonl.gz"
REGRET = ("majority", "dawid_skene", "one_coin", "glad", "mace", "hierarchical")
"""The best of these is what another method is compared with."""
WRENCH = {"wrench_youtube": "YouTube (Acc.)", "wrench_sms": "SMS (F1)"}
"""Sets of the published table, with its names and metric; test split."""


def compare(folder: Path) -> list[dict[str, Any]]:
    """One entry per set: its sizes, and accuracy, AUROC, ECE and seconds of each method.

    Over examples with gold and at least one vote; ties between labels count in expectation.
    """
    sets = sorted(path for kind in ("crowd_*", "wrench_*") for path in folder.glob(kind))
    paths = [path / "train.jsonl.gz" for path in sets if (path / "train.jsonl.gz").exists()]
    return [_compare(path) for path in [*paths, folder / JUDGES] if path.exists()]


def _compare(path: Path) -> dict[str, Any]:
    table = read_votes(path, truth=("gold",), duplicates="last")
    votes, gold = table.votes, table.truth["gold"]
    judged = np.flatnonzero(votes.answered & (gold != ABSTAIN))
    sizes = {"examples": len(votes.ids), "votes": len(votes.answer), "voters": len(votes.voters)}
    entry: dict[str, Any] = {
        **{"set": path.parent.name, **sizes, "classes": votes.num_classes, "judged": len(judged)},
        "coverage": float(votes.answered.mean()),
        "undecided": VoteAnalysis(votes).undecided,
        **{"steelyard": {}, "crowd-kit": {}, "cleanlab": {}},
    }
    for kind, estimator in ESTIMATORS.items():
        start = time.perf_counter()
        try:
            reliability = estimator().estimate(votes)
        except (SteelyardError, ImportError, AttributeError, NotImplementedError) as error:
            entry["steelyard"][kind] = {"left out": str(error)}
            continue
        seconds = time.perf_counter() - start
        measured = _judge(reliability.posterior, reliability.score, gold, judged, seconds)
        entry["steelyard"][kind] = measured | _ranges(votes, reliability, gold)
    for name, method in crowd_kit().items():
        if name in ("GLAD", "MACE") and len(votes.answer) > SLOW:
            entry["crowd-kit"][name] = {"left out": f"more than {SLOW} votes"}
            continue
        start = time.perf_counter()
        rows = method.fit_predict_proba(frame(votes))
        seconds = time.perf_counter() - start
        posterior = votes.uniform()
        posterior[np.ix_(rows.index, rows.columns)] = rows
        entry["crowd-kit"][name] = _judge(posterior, posterior.max(axis=1), gold, judged, seconds)
    entry["cleanlab"]["CROWDLAB"] = _crowdlab(path, votes, gold, judged)
    best = max(entry["steelyard"][kind]["accuracy"] for kind in REGRET)
    for of_side in (entry["steelyard"], entry["crowd-kit"], entry["cleanlab"]):
        for measured in of_side.values():
            if "accuracy" in measured:
                measured["regret"] = best - measured["accuracy"]
    print(entry["set"], flush=True)
    return entry


def _judge(
    posterior: Floats, score: Floats, gold: Ints, judged: Ints, seconds: float
) -> dict[str, Any]:
    """Share of right labels, ties in expectation; AUROC and ECE (15 bins) of the score."""
    from sklearn.metrics import roc_auc_score

    rows, score = posterior[judged], score[judged]
    best = rows >= rows.max(axis=1, keepdims=True) - 1e-9
    right = best[np.arange(len(rows)), gold[judged]] / best.sum(axis=1)
    bins = np.minimum((score * 15).astype(int), 14)
    off = np.abs(np.bincount(bins, right - score, minlength=15)).sum()
    area = None
    if 0 < right.sum() < len(right):
        outcome, weight = np.repeat([1, 0], len(right)), np.concatenate([right, 1 - right])
        area = float(roc_auc_score(outcome, np.tile(score, 2), sample_weight=weight))
    return {
        "accuracy": float(right.mean()),
        "auroc": area,
        "ece": float(off / len(judged)),
        "seconds": seconds,
    }


def _ranges(votes: Votes, reliability: Reliability, gold: Ints) -> dict[str, Any]:
    """How many voters have their accuracy in the range given, where gold is complete."""
    if (gold[votes.answered] == ABSTAIN).mean() > 0.02:
        return {}
    voters = judge_voters(votes, reliability, gold)
    assert voters.true_accuracy is not None
    true, many = voters.true_accuracy[:, 0], voters.votes >= MANY_VOTES
    inside = (voters.accuracy[:, 1] <= true) & (true <= voters.accuracy[:, 2])
    return {"voters": int(many.sum()), "in range": int(inside[many].sum())}


def _crowdlab(path: Path, votes: Votes, gold: Ints, judged: Ints) -> dict[str, Any]:
    """CROWDLAB with a logistic regression on tf-idf, cross-validated on the majority's labels."""
    try:
        from cleanlab.multiannotator import get_label_quality_multiannotator
    except ImportError:
        return {"left out": "cleanlab is not installed"}
    texts = [str(row.get("text") or "") for _, row in read_rows(path)]
    if len(votes.voters) > 1000 or not any(texts) or len(texts) != len(votes.ids):
        return {"left out": "no texts" if not any(texts) else "more than 1,000 voters"}
    import pandas
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    start = time.perf_counter()
    heard = np.flatnonzero(votes.answered)
    label = votes.counts[heard].argmax(axis=1)
    if np.bincount(label, minlength=votes.num_classes).min() < 5:
        return {"left out": "a class has fewer than five labels"}
    words = TfidfVectorizer(min_df=2).fit_transform([texts[i] for i in heard])
    model = LogisticRegression(max_iter=1000)
    probs = cross_val_predict(model, words, label, cv=5, method="predict_proba")
    answers = np.full((len(votes.ids), len(votes.voters)), np.nan)
    answers[votes.example, votes.voter] = votes.answer
    columns = pandas.DataFrame(answers[heard]).dropna(axis=1, how="all")
    result = get_label_quality_multiannotator(columns, probs, verbose=False)["label_quality"]
    posterior, score = votes.uniform(), np.zeros(len(votes.ids))
    posterior[heard] = np.eye(votes.num_classes)[result["consensus_label"].to_numpy()]
    score[heard] = result["consensus_quality_score"].to_numpy()
    return _judge(posterior, score, gold, judged, time.perf_counter() - start)


def published(folder: Path) -> list[dict[str, Any]]:
    """Test scores of label models on WRENCH: as published, and of Steelyard's estimators.

    Items without votes count too, as they do there: a method's posterior or class 0 labels them.
    """
    import csv

    from sklearn.metrics import accuracy_score, f1_score

    path = folder / "wrench_reference" / "exp1_label_models.csv"
    if not path.exists():
        return []
    entries, title = [], ""
    published_rows: dict[str, dict[str, str]] = {}
    head: list[str] = []
    for row in csv.reader(path.read_text(encoding="utf-8").splitlines()):
        if row and "(" in row[0]:
            title, head = row[0], row
        elif row and row[0] == "Wrench":
            published_rows[title] = dict(zip(head, row, strict=True))
    for name, title in WRENCH.items():
        table = read_votes(folder / name / "test.jsonl.gz", truth=("gold",), duplicates="last")
        votes, gold = table.votes, table.truth["gold"]
        entry: dict[str, Any] = {"set": name, "metric": title, "published": {}, "steelyard": {}}
        for model in ("MV", "WMV", "DS", "Snorkel", "FS"):
            entry["published"][model] = float(published_rows[title][model])
        for kind in (*REGRET, "robust"):
            posterior = ESTIMATORS[kind]().estimate(votes).posterior
            prior = posterior[votes.answered].mean(axis=0)
            posterior[~votes.answered] = prior
            label = posterior.argmax(axis=1)
            metric = f1_score if "F1" in title else accuracy_score
            entry["steelyard"][kind] = float(metric(gold, label))
        entries.append(entry)
    return entries


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
    """Sizes; then accuracy, regret, AUROC and ECE, with their means; then voters' ranges."""
    methods = [("steelyard", kind) for kind in ESTIMATORS]
    methods += [("crowd-kit", name) for name in crowd_kit()] + [("cleanlab", "CROWDLAB")]
    methods = [m for m in methods if any("accuracy" in e[m[0]].get(m[1], {}) for e in entries)]
    sizes = ["examples", "votes", "voters", "classes", "coverage", "judged", "undecided"]
    lines = _table(
        ["set", *sizes],
        [
            [e["set"], *(f"{e[s]:.3f}" if s == "coverage" else str(e[s]) for s in sizes)]
            for e in entries
        ],
    )
    for key in ("accuracy", "regret", "auroc", "ece"):
        head = [f"{key}, {'' if side == 'steelyard' else side} {name}" for side, name in methods]
        values = [[e[side].get(name, {}).get(key) for side, name in methods] for e in entries]
        rows = [[e["set"], *map(_cell, row)] for e, row in zip(entries, values, strict=True)]
        means = [_mean([row[m] for row in values]) for m in range(len(methods))]
        lines += ["", *_table(["set", *head], [*rows, ["mean", *map(_cell, means)]])]
    return "\n".join(lines)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


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
        results = {
            "environment": environment(),
            "sets": compare(folder),
            "wrench": published(folder),
        }
    print(tables(results["sets"]))
    print(json.dumps(results["wrench"], indent=1))
    place = Path(__file__).parent / "results" / "crowd.json"
    place.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written: benchmarks/results/{place.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data"))
