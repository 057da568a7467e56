"""What the agreement of a language model with itself says: figures of Guo and Yang 2024, anew.

`STEELYARD_LLMS=MODELS python studies/asked-in-five-ways.py [SET...]`, where MODELS has the models
of MODELS below. Each is asked, untrained, with five prompts (templates and option orders) about 200
test rows of each set, once as the paper asks (the letter of a listed option) and once by cloze (the
option's text behind the question alone). Written after every set to
studies/results/asked-in-five-ways.json: accuracy of the labels that most prompts give, share and
accuracy of the rows by vote entropy, accuracy of the rows that the filter of the paper keeps
(entropy at most the median), and the mean weight of right and of wrong answers when weighted by
vote share.
Ties count in expectation. One draw of rows, no students: nothing is tested here.
"""

import datetime
import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.supervision import LanguageModelVoters, VoteRequest
from steelyard.types import Floats, Ints, Question, Split, Votes

HERE = Path(__file__).parent
KEPT = HERE / "results" / "asked-in-five-ways.json"
MODELS = ("SmolLM2-135M-Instruct", "Qwen2.5-Coder-0.5B-Instruct")
SETS = ("arc_easy", "piqa", "hellaswag", "commonsense_qa", "mmlu", "ethics_cm")
ROWS, QUERIES, TEMPERATURE = 200, 5, 0.2


def main(names: list[str]) -> None:
    models = Path(os.environ.get("STEELYARD_LLMS", ""))
    done = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {"figures": []}
    seen = {(f["model"], f["set"], f["asked_for"]) for f in done["figures"]}
    for name in names or SETS:
        classes, questions, truth = read(name)
        kind = "multiple_choice" if questions[0].choices else "classification"
        for model in MODELS:
            for answer in ("letter", "cloze"):
                if (model, name, answer) in seen:
                    continue
                voters = LanguageModelVoters(
                    model=str(models / model), queries=QUERIES, answer=answer
                )
                request = VoteRequest(kind, classes, (questions,), Split((), np.array([], int)))
                (votes,) = voters.vote(request)
                figure = {"model": model, "set": name, "asked_for": answer}
                figure |= {"notes": list(votes.notes), "warnings": list(votes.warnings)}
                done["figures"].append({**figure, **figures(votes, truth)})
                done["made"] = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
                KEPT.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
                print(json.dumps(done["figures"][-1]), flush=True)


def read(name: str) -> tuple[tuple[str, ...], list[Question], Ints]:
    folder = HERE / "../../shared/data" / name
    with gzip.open(folder / "test.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(ROWS), strict=False)]
    truth = np.array([row["label"] for row in rows])
    if "choices" in rows[0]:
        questions = [Question(str(r["id"]), r["question"], tuple(r["choices"])) for r in rows]
        return (
            tuple(str(k) for k in range(max(len(q.choices) for q in questions))),
            questions,
            truth,
        )
    classes = tuple(json.loads((folder / "labels.json").read_text(encoding="utf-8")))
    return classes, [Question(str(r["id"]), r["text"]) for r in rows], truth


def figures(votes: Votes, truth: Ints) -> dict[str, Any]:
    """The paper's figures of votes on N examples with the answers `truth`, (N,)."""
    shares = votes.shares()
    entropy = entropies(shares)
    is_right = expected_right(shares, truth)
    kept = entropy <= np.median(entropy)
    weight = votes.sharpened(TEMPERATURE)[votes.example, votes.answer]
    vote_is_right = votes.answer == truth[votes.example]
    return {
        "rows": len(truth),
        "accuracy": float(is_right.mean()),
        "mean_accuracy_of_a_vote": float(vote_is_right.mean()),
        "by_entropy": [
            {
                "entropy": float(value),
                "share": float((entropy == value).mean()),
                "accuracy": float(is_right[entropy == value].mean()),
            }
            for value in np.unique(entropy)
        ],
        "kept_by_filter": {"share": float(kept.mean()), "accuracy": float(is_right[kept].mean())},
        "mean_weight": {
            "right": mean(weight[vote_is_right]),
            "wrong": mean(weight[~vote_is_right]),
        },
    }


def entropies(shares: Floats) -> Floats:
    """Vote entropy in nats of each row of (N, K), to six digits."""
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.round(-(shares * logs).sum(axis=1), 6) + 0.0


def expected_right(shares: Floats, truth: Ints) -> Floats:
    """Probability that a random one of the answers with the most votes is right, (N,)."""
    best = shares == shares.max(axis=1, keepdims=True)
    return best[np.arange(len(truth)), truth] / best.sum(axis=1)


def mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


if __name__ == "__main__":
    main(sys.argv[1:])
