"""A study of preferences: files of pairs and votes, its settings, its run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from tiny_models import llama_config, tokenizer
from word_pairs import BAD, GOOD

Rows = list[dict[str, Any]]


def rows(name: str, size: int) -> Rows:
    return [
        {
            "id": f"{name}-{i}",
            "prompt": f"the {'film' if i % 3 else 'plot'} {i} is",
            "chosen": GOOD[i % 4],
            "rejected": BAD[(i // 2) % 4],
        }
        for i in range(size)
    ]


USELESS: Rows = [
    {"id": "same", "prompt": "the film is", "chosen": "good", "rejected": "good "},
    {"id": "empty", "prompt": "the film is", "chosen": "good", "rejected": None},
]


def lines(some: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in some)


def write_pairs(folder: Path) -> Path:
    """A folder with a model, 62 pairs to train on, 40 to test on, and three annotators' votes."""
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(llama_config(layers=2)).save_pretrained(folder / "llama")
    tokenizer(pairs=False).save_pretrained(folder / "llama")
    train, test = rows("train", 60), rows("test", 40)
    (folder / "train.jsonl").write_text(lines([*train, *USELESS]))
    (folder / "test.jsonl").write_text(lines(test))
    rng = np.random.default_rng(0)
    votes = [
        {"id": row["id"], "voter": voter, "answer": ("chosen", "rejected")[rng.random() > 0.7]}
        for row in [*train, *test]
        for voter in ("ann", "bob", "cat")
    ]
    (folder / "votes.jsonl").write_text(lines(votes))
    return folder


def settings(files: Path, **changes: Any) -> dict[str, Any]:
    plain = {
        "name": "pairs",
        "task": "preference",
        "data": {
            "train": str(files / "train.jsonl"),
            "test": str(files / "test.jsonl"),
            "weak_train": 12,
            "stratify": True,
        },
        "supervisors": [{"kind": "votes", "path": str(files / "votes.jsonl")}],
        "student": {
            "kind": "preference",
            "model": str(files / "llama"),
            "lora": None,
            "learning_rate": 1e-2,
            "batch_size": 8,
            "epochs": 6,
            "precision": "fp32",
        },
        "arms": ["soft", "filter", "reweigh_margin"],
        "match": "steps",
        "seeds": 1,
    }
    return {**plain, **changes}


def prepared(files: Path, folder: Path, **changes: Any) -> Run:
    return Run(make_study(settings(files, **changes)), Store(folder))
