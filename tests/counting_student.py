"""A student for tests that is trained in no time and notes its trainings, and words to train on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import steelyard as sy
from steelyard.errors import TrainingCollapsed
from steelyard.types import Floats
from word_pairs import BAD, GOOD

CALLS: list[int] = []
"""Rows of each training of a `Counting` student."""
STOP: list[int] = []
"""Numbers of the trainings at which the process is taken to end."""
COLLAPSE: list[int] = []
"""Numbers of the trainings that collapse."""


class Counting(sy.BaseStudent):
    """Naive Bayes on word counts, which notes its trainings."""

    version: ClassVar[int] = 1
    kind: Literal["counting"] = "counting"

    def planned_steps(self, kept: int) -> int:
        return kept // 10

    def fit(self, data: sy.TrainingData, options: sy.TrainingOptions) -> "TrainedCounting":
        CALLS.append(len(data.questions))
        assert options.steps == int((data.weights > 0).sum()) // 10
        if len(CALLS) in STOP:
            raise KeyboardInterrupt
        if len(CALLS) in COLLAPSE:
            raise TrainingCollapsed("the loss is not a number")
        texts = [question.text for question in data.questions]
        return TrainedCounting(bayes(texts, data.targets, data.weights), len(data.classes))


@dataclass(frozen=True)
class TrainedCounting(sy.BaseTrainedStudent):
    model: Any
    classes: int

    def predict(self, questions: Sequence[sy.Question], states: Any = None) -> sy.ModelAnswers:
        return sy.ModelAnswers(asked(self.model, [q.text for q in questions], self.classes))


def bayes(texts: Sequence[str], targets: Floats, weights: Floats) -> Any:
    model = make_pipeline(CountVectorizer(), MultinomialNB(alpha=0.3))
    labels = targets.argmax(axis=1)
    return model.fit(texts, labels, multinomialnb__sample_weight=weights)


def asked(model: Any, texts: Sequence[str], classes: int) -> Floats:
    probs = np.zeros((len(texts), classes))
    probs[:, model.classes_] = model.predict_proba(texts)
    return probs


def write_words(folder: Path) -> dict[str, str]:
    """Paths of rows of four classes, and of votes of three voters, half of them right."""
    rng = np.random.default_rng(0)
    classes = ("north", "east", "south", "west")
    of_class = rng.integers(0, 4, 250)
    own = rng.random((250, 5)) < 0.5  # words of the class among words of all
    word = np.where(own, 10 * of_class[:, None], 100) + rng.integers(0, 10, (250, 5))
    rows = [(" ".join(f"w{w}" for w in words), k) for words, k in zip(word, of_class, strict=True)]
    files: dict[str, list[dict[str, Any]]] = {"train": [], "test": [], "votes": []}
    for i, (text, k) in enumerate(rows):
        row = {"id": f"r{i}", "text": text, "label": classes[k]}
        files["train" if i < 190 else "test"].append(row)
        for voter in ("ann", "bob", "cat"):
            given = int(k) if rng.random() < 0.5 else int(rng.integers(4))
            files["votes"].append({"id": f"r{i}", "voter": voter, "answer": classes[given]})
    for name, part in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return {name: str(folder / f"{name}.jsonl") for name in files}


def write_options(folder: Path) -> dict[str, Any]:
    """Which of two or three words is good, with votes that are right in three of four cases."""
    rng = np.random.default_rng(0)
    files: dict[str, list[dict[str, Any]]] = {"train": [], "test": [], "votes": []}
    for name, size in (("train", 46), ("test", 10)):
        for i in range(size):
            options = [GOOD[i % 4], *(BAD[int(b)] for b in rng.permutation(4)[: 1 + i % 2])]
            order = rng.permutation(len(options))
            choices = [options[int(o)] for o in order]
            row = {"id": f"{name}{i}", "question": "the film is", "choices": choices}
            answer = int(np.flatnonzero(order == 0)[0])
            files[name].append({**row, "label": answer})
            for voter in ("ann", "bob", "cat"):
                given = answer if rng.random() < 0.75 else int(rng.integers(len(choices)))
                files["votes"].append({"id": row["id"], "voter": voter, "answer": given})
    for name, rows in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return {
        "task": "multiple_choice",
        "data": {
            **{name: str(folder / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 6,
        },
        "supervisors": [{"kind": "votes", "path": str(folder / "votes.jsonl")}],
        "references": [],
        "seeds": 1,
    }
