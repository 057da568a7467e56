"""Label a file of questions with supervisors, weigh their votes, keep the reliable labels."""

import json
from pathlib import Path
from typing import Any

import steelyard as sy
from steelyard.labelling import read_items


def main() -> None:
    # A file of questions, one of rows with their labels, and the truth of a random part.
    data = sy.Data(generated="errands", weak_train=300, strong_train=600, max_test=2)
    task = sy.split(sy.load("classification", data, Path()), data, 0)
    asked, labelled = task.strong_train, task.weak_train
    write("questions.jsonl", [{"id": q.id, "text": q.text} for q in asked.questions])
    names = [task.classes[label] for label in labelled.truth]
    rows = zip(labelled.questions, names, strict=True)
    write("labelled.jsonl", [{"id": q.id, "text": q.text, "label": name} for q, name in rows])
    known = zip(asked.ids[:200], asked.truth, strict=False)  # the rows are in random order
    write("truth.jsonl", [{"id": i, "truth": task.classes[label]} for i, label in known])

    # `sy.Api(base_url=..., model=..., queries=5)` asks a server, never paying twice for an answer.
    items = read_items(Path("questions.jsonl"), labelled=Path("labelled.jsonl"))
    votes = sy.label(items, [sy.Tfidf(voters=7)], Path("votes.jsonl"))
    print(f"{votes.votes} votes of {', '.join(votes.voters)}")

    # The truth evaluates; with `alpha` it also bounds the error of the labels to keep by 20 %.
    result = sy.weigh(
        votes.out, ["confidence"], classes=votes.classes, truth="truth.jsonl", alpha=0.2
    )
    for name, found in result.summary["methods"].items():
        print(f"{name:<10} accuracy {found['accuracy']:.3f}  AUROC {found['auroc']:.3f}")
    kept = result.summary["risk_control"]
    print(kept["reason"] or f"{kept['kept']} labels with score >= {kept['threshold']:.3f} are kept")


def write(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
