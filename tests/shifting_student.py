"""A student that answers every question alike and notes its trainings, and tiny data for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

import steelyard as sy
from steelyard.errors import TrainingCollapsed
from steelyard.types import Floats

CALLS: list[tuple[str, Floats, Floats]] = []
"""Name, targets and weights of each training."""
STOP: list[int] = []
"""Numbers of the trainings at which the process is taken to end."""


class Shifting(sy.BaseStudent):
    """Answers every question with the mean target moved by `shift`, whatever its text."""

    version: ClassVar[int] = 1
    kind: Literal["shifting"] = "shifting"
    name: str = "last"
    shift: float = 0.0
    collapses: bool = False

    def planned_steps(self, kept: int) -> int:
        return kept // 2

    def fit(self, data: sy.TrainingData, options: sy.TrainingOptions) -> "TrainedShifting":
        CALLS.append((self.name, data.targets, data.weights))
        if len(CALLS) in STOP:
            raise KeyboardInterrupt
        if self.collapses:
            raise TrainingCollapsed("the loss is not a number")
        mean = (data.targets * data.weights[:, None]).sum(axis=0) / data.weights.sum()
        return TrainedShifting(mean + self.shift * np.array([-1.0, 1.0]))


@dataclass(frozen=True)
class TrainedShifting(sy.BaseTrainedStudent):
    answer: Floats

    def predict(self, questions: Sequence[sy.Question], states: Any = None) -> sy.ModelAnswers:
        return sy.ModelAnswers(np.tile(self.answer, (len(questions), 1)))


def write(folder: Path, rows: int = 48) -> dict[str, Any]:
    """Films that are good or bad, and a voter that is right on three of four."""
    files: dict[str, list[dict[str, Any]]] = {"train": [], "test": [], "votes": []}
    for i in range(rows):
        label = ("no", "yes")[i % 2]
        text = f"{('bad', 'good')[i % 2]} film {i}"
        part = "train" if i < rows - 8 else "test"
        files[part].append({"id": f"r{i}", "text": text, "label": label})
        given = ("yes", "no")[i % 2] if i % 8 in (1, 2) else label
        files["votes"].append({"id": f"r{i}", "voter": "ann", "answer": given})
    for name, part in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return {
        "task": "classification",
        "data": {
            **{name: str(folder / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 0,
        },
        "supervisors": [{"kind": "votes", "path": str(folder / "votes.jsonl")}],
        "student": Shifting(),
        "references": [],
        "ceiling_epochs": [],
        "seeds": 1,
    }


PROBE = {"kind": "probe", "model": "minilm", "layers": 1, "max_tokens": 16, "regularization": 1.0}
