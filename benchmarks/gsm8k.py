"""Answers of several language models to GSM8K: how far agreement can be trusted.

python -m benchmarks.gsm8k DATA

DATA holds `gsm8k_weak_generations/train.jsonl.gz` (three models that answered half of the training
questions; Yang et al. 2024, arXiv:2407.13647) and `gsm8k_openai_solutions/test.jsonl.gz` (four
GPT-3 models and the test questions; Cobbe et al. 2021, arXiv:2110.14168): rows of `id`, `answer`
and `solutions`, a list of `{model, solution, final?}`. Nothing is trained; truth judges.

Labels are judged on all questions, with intervals from 2,000 resamples of them that all methods
share; the best single model is the best by truth. `log-odds` are weights learnt from the truth of
half of the questions for the other half, both ways round: ln(a / (1 - a)) of a model's accuracy a
there (0 where that is negative), or less ln c as well, with c the share of pairs of wrong answers
that are the same: what a vote tells where there are many ways to be wrong.
"""

import gzip
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.evaluation import calibrate, draw_resamples, score_quality
from steelyard.prompts import canonical
from steelyard.reliability import ESTIMATORS, JointDecoding
from steelyard.selection import control_risk
from steelyard.selection.keep import most_reliable
from steelyard.selection.label_and_ties import most_probable
from steelyard.studies.results import environment
from steelyard.types import ABSTAIN, Floats, Ints, Votes

SETS = {
    "gsm8k_weak_generations": ("train.jsonl.gz", "final"),
    "gsm8k_openai_solutions": ("test.jsonl.gz", "solution"),
}
KINDS = ("majority", "vote_entropy", "open_agreement", "one_coin", "hierarchical")
LABELLERS = (
    *("majority", "vote_share", "dirichlet", "self_consistency", "open_agreement"),
    *("one_coin", "hierarchical", "joint_decoding"),
)
RESAMPLES = 2000
GOLD, DRAWS, ALPHAS, DELTA = 200, 100, (0.1, 0.2), 0.1
SCORES = ("accuracy", "auroc", "aurc", "ece", "ece_calibrated")
STARTS = {"fixed sequence": 1, "two starts (default)": 2, "Bonferroni": 20}


@dataclass(frozen=True, eq=False)
class ParsedReply:
    """Votes on open questions, and which candidate is true."""

    votes: Votes
    truth: Ints  # (N,), candidate numbers; ABSTAIN where nobody gave the true answer


def read(path: Path, field: str) -> ParsedReply:
    """Every model is a voter; equal numbers are one candidate."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    models = tuple(dict.fromkeys(s["model"] for row in rows for s in row["solutions"]))
    example, voter, answer, texts, truth = [], [], [], [], []
    for i, row in enumerate(rows):
        said = [canonical(solution[field], "number") for solution in row["solutions"]]
        own = tuple(sorted({text for text in said if text is not None})) or ("",)
        right = canonical(row["answer"], "number")
        texts.append(own)
        truth.append(own.index(right) if right in own else ABSTAIN)
        for solution, text in zip(row["solutions"], said, strict=True):
            example.append(i)
            voter.append(models.index(solution["model"]))
            answer.append(ABSTAIN if text is None else own.index(text))
    votes = Votes(
        ids=tuple(row["id"] for row in rows),
        voters=models,
        queries=("once",),
        example=np.array(example),
        voter=np.array(voter),
        query=np.zeros(len(example), dtype=np.int64),
        answer=np.array(answer),
        candidates=np.array([len(own) for own in texts]),
        candidate_texts=tuple(texts),
    )
    return ParsedReply(votes, np.array(truth))


def measure(answered: ParsedReply) -> dict[str, Any]:
    """Everything that is printed, of one set."""
    votes, truth = answered.votes, answered.truth
    said_right = (votes.answer == truth[votes.example]) & (votes.answer != ABSTAIN)
    has = votes.counts.sum(axis=1) > 0
    out: dict[str, Any] = {
        "questions": len(votes.ids),
        "answered": float(has.mean()),
        "unreadable": float((votes.answer == ABSTAIN).mean()),
        "voters": {
            name: float(said_right[votes.voter == v].mean()) for v, name in enumerate(votes.voters)
        },
        "oracle": float((truth != ABSTAIN).mean()),
        "methods": {},
        "labels": label_rows(answered),
    }
    for kind in KINDS:
        if kind not in ESTIMATORS:
            continue
        start = time.perf_counter()
        reliability = ESTIMATORS[kind]().estimate(votes)
        seconds = time.perf_counter() - start
        labels = most_probable(votes, reliability.posterior)
        right = (labels == truth)[has]
        found = of_score(reliability.score[has], right)
        out["methods"][kind] = {"seconds": seconds, **found}
    return out


def label_rows(answered: ParsedReply) -> list[dict[str, Any]]:
    """Accuracy of the labels of each way to make them, against the best single model's."""
    votes, truth = answered.votes, answered.truth
    alone = {name: labels_of(votes.of_voter(v), None) for v, name in enumerate(votes.voters)}
    best = max(alone, key=lambda name: right_of(alone[name], truth).mean())
    ways = {f"{best}, the best alone": alone[best]}
    ways |= {kind: labels_of(votes, ESTIMATORS[kind]()) for kind in LABELLERS}
    for name, many in (("log-odds", False), ("log-odds less ln c", True)):
        ways[f"joint_decoding, {name}"] = from_halves(answered, many)
    counts = draw_resamples(len(truth), RESAMPLES).astype(float) / len(truth)
    single = right_of(alone[best], truth)
    rows = []
    for name, labels in ways.items():
        right = right_of(labels, truth)
        found: dict[str, Any] = {"labels": name}
        for key, values in (("accuracy", right), ("difference", right - single)):
            low, high = np.quantile(counts @ values, [0.025, 0.975])
            found[key] = {"value": float(values.mean()), "low": float(low), "high": float(high)}
        rows.append(found)
    return rows


def right_of(labels: Ints, truth: Ints) -> Floats:
    """1 where a label is right, else 0, (N,)."""
    return ((labels == truth) & (labels != ABSTAIN)).astype(float)


def labels_of(votes: Votes, estimator: Any) -> Ints:
    """The most probable answer of each question, ABSTAIN where nobody answered, (N,)."""
    posterior = votes.shares() if estimator is None else estimator.estimate(votes).posterior
    return np.where(votes.counts.sum(axis=1) > 0, most_probable(votes, posterior), ABSTAIN)


def from_halves(answered: ParsedReply, many: bool) -> Ints:
    """Labels by weights that the truth of the other half gives, (N,)."""
    votes, truth = answered.votes, answered.truth
    first = np.zeros(len(truth), dtype=bool)
    drawn = np.random.default_rng(0).permutation(len(truth))[: len(truth) // 2]
    first[drawn] = True
    labels = np.full(len(truth), ABSTAIN)
    for known in (first, ~first):
        weights = log_odds(votes, truth, known, many)
        labels[~known] = labels_of(votes, JointDecoding(weights=weights))[~known]
    return labels


def log_odds(votes: Votes, truth: Ints, known: Any, many: bool) -> dict[str, float]:
    """A weight for each voter from the questions whose truth is known, (N,)."""
    mine = known[votes.example] & (votes.answer != ABSTAIN)
    right = (votes.answer == truth[votes.example])[mine]
    voter = votes.voter[mine]
    accuracy = np.bincount(voter, weights=right) / np.bincount(voter)
    weights = np.log(accuracy / (1 - accuracy))
    if many:
        # every voter answers once: n wrong answers of a question are n (n - 1) / 2 pairs
        cell = votes.example[mine][~right] * votes.num_classes + votes.answer[mine][~right]
        same = np.bincount(cell)
        wrong = np.bincount(votes.example[mine][~right])
        weights -= np.log((same * (same - 1)).sum() / (wrong * (wrong - 1)).sum())
    return dict(zip(votes.voters, np.maximum(weights, 0).tolist(), strict=True))


def of_score(score: Floats, right: Any) -> dict[str, Any]:
    quality = score_quality(score, right)
    kept = {
        name: mask
        for name, mask in (
            ("half, ties kept", most_reliable(score, score >= 0, 0.5, "keep", 0)),
            ("half, ties dropped", most_reliable(score, score >= 0, 0.5, "drop", 0)),
            ("half, ties drawn", most_reliable(score, score >= 0, 0.5, "random", 0)),
            ("highest score alone", score >= score.max() - 1e-9),
        )
    }
    return {
        "accuracy": float(right.mean()),
        "auroc": quality.auroc,
        "aurc": quality.aurc,
        "ece": quality.ece,
        "ece_calibrated": draws(score, right, calibrated_error),
        "bins": [{"score": b.high, "share": b.share, "accuracy": b.accuracy} for b in quality.bins],
        "filters": {
            name: {"kept": float(mask.mean()), "accuracy": float(right[mask].mean())}
            for name, mask in kept.items()
        },
        "risk": {
            f"{alpha:g}": {name: risk(score, right, alpha, n) for name, n in STARTS.items()}
            for alpha in ALPHAS
        },
    }


def some_known(right: Any, seed: int) -> Ints:
    """The truth of a random draw of the labels, ABSTAIN elsewhere."""
    known = np.full(len(right), ABSTAIN)
    drawn = np.random.default_rng(seed).choice(len(right), GOLD, replace=False)
    known[drawn] = right[drawn]
    return known


def draws(score: Floats, right: Any, value: Callable[[Floats, Any, Ints], float]) -> float:
    """Mean over draws of the known labels."""
    return float(np.mean([value(score, right, some_known(right, s)) for s in range(DRAWS)]))


def calibrated_error(score: Floats, right: Any, known: Ints) -> float:
    """Calibration error on the labels whose truth was not known."""
    rest = known == ABSTAIN
    return score_quality(calibrate(score, known).score[rest], right[rest]).ece


def risk(score: Floats, right: Any, alpha: float, starts: int) -> dict[str, float]:
    held, share, error, found = 0, [], [], 0
    for seed in range(DRAWS):
        kept = control_risk(score, some_known(right, seed), alpha, DELTA, starts=starts).kept
        wrong = float((~right[kept]).mean()) if kept.any() else 0.0
        held += wrong <= alpha
        found += bool(kept.any())
        share.append(kept.mean())
        error += [wrong] if kept.any() else []
    return {
        "held": held / DRAWS,
        "found": found / DRAWS,
        "kept": float(np.mean(share)),
        "error": float(np.mean(error)) if error else 0.0,
    }


def table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _span(span: dict[str, float], form: str) -> str:
    return f"{span['value']:{form}} [{span['low']:{form}}, {span['high']:{form}}]"


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def page(name: str, found: dict[str, Any]) -> str:
    """One set as Markdown."""
    methods = found["methods"]
    voters = ", ".join(f"{voter} {score:.3f}" for voter, score in found["voters"].items())
    parts = [
        f"## {name}",
        f"{found['questions']:,} questions, {found['unreadable']:.4f} of the answers unreadable. "
        f"Right: {voters}; any of them {found['oracle']:.3f}.",
        table(
            ["labels", "accuracy [95 %]", "less the best alone [95 %]"],
            [
                [row["labels"], _span(row["accuracy"], ".3f"), _span(row["difference"], "+.3f")]
                for row in found["labels"]
            ],
        ),
        table(
            ["estimator", "accuracy", "AUROC", "AURC", "ECE", f"ECE, {GOLD} known", "seconds"],
            [
                [kind, *(m[name] for name in SCORES), f"{m['seconds']:.2f}"]
                for kind, m in methods.items()
            ],
        ),
        table(
            ["estimator", "score up to", "share", "accuracy"],
            [
                [kind, b["score"], b["share"], b["accuracy"]]
                for kind in ("majority", "hierarchical")
                if kind in methods
                for b in methods[kind]["bins"]
            ],
        ),
        table(
            ["estimator", "kept", "share", "accuracy"],
            [
                [kind, name, f["kept"], f["accuracy"]]
                for kind, m in methods.items()
                for name, f in m["filters"].items()
            ],
        ),
        table(
            ["estimator", "alpha", "procedure", "held", "a set found", "mean share kept", "error"],
            [
                [kind, alpha, name, f["held"], f["found"], f["kept"], f["error"]]
                for kind, m in methods.items()
                for alpha, by in m["risk"].items()
                for name, f in by.items()
            ],
        ),
    ]
    return "\n\n".join(parts)


def main(data: Path) -> None:
    results = {
        name: measure(read(data / name / file, field)) for name, (file, field) in SETS.items()
    }
    for name, found in results.items():
        print(page(name, found), end="\n\n")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    settings = {"gold": GOLD, "draws": DRAWS, "delta": DELTA}
    content = {"environment": environment(), "settings": settings, "sets": results}
    (folder / "gsm8k.json").write_text(json.dumps(content, indent=1) + "\n")
    print(f"written: benchmarks/results/{'gsm8k.json'}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.gsm8k DATA")
    main(Path(sys.argv[1]))
