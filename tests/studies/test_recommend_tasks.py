"""`recommend: true` of tasks other than classification: options, preferences, open answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pair_files
import steelyard as sy
from byte_models import save_byte_llama
from steelyard.report.recommendation import recommendation_reasons, recommendation_sentence
from word_pairs import BAD, GOOD

pytestmark = pytest.mark.slow  # each is six studies
TUNING = {"precision": "fp32", "batch_size": 8, "epochs": 1}


def write(folder: Path, files: dict[str, list[dict[str, Any]]]) -> None:
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def answered(rows: list[dict[str, Any]], others: Any) -> list[dict[str, Any]]:
    """Votes of two voters, right in seven of ten cases."""
    rng = np.random.default_rng(0)
    return [
        {"id": row["id"], "voter": voter, "answer": given if rng.random() < 0.7 else other}
        for row in rows
        for given, other in [others(row)]
        for voter in ("ann", "bob")
    ]


def check(results: dict[str, Any], rows: int, wanted: set[str]) -> None:
    advice = results["recommendation"]
    assert advice["rows"] == rows
    assert advice["reason"] == ""
    assert advice["past_sets"] == 0  # past studies are of classification
    assert set(advice["candidates"]) == wanted
    assert advice["arm"] in wanted
    assert sum(row["best"] for row in advice["candidates"].values()) == pytest.approx(1)
    assert recommendation_sentence(results).startswith("Recommended, without the truth of")
    assert f"On the {rows} labelled rows of weak_train" in recommendation_reasons(results)


def test_multiple_choice(tmp_path: Path, tiny_bert: str) -> None:
    rows = [
        {
            **{"id": f"r{i}", "question": f"the film {i} is", "label": i % 2},
            "choices": [GOOD[i % 4], BAD[i % 3]][:: 1 if i % 2 == 0 else -1],
        }
        for i in range(60)
    ]
    votes = answered(rows, lambda row: (row["label"], 1 - row["label"]))
    write(tmp_path, {"train": rows[:44], "test": rows[44:], "votes": votes})
    plain = {
        "task": "multiple_choice",
        "data": {
            **{name: str(tmp_path / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 20,
        },
        "supervisors": [{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        "student": {"kind": "chooser", "model": tiny_bert, "max_tokens": 16, **TUNING},
        "arms": "recommend",
        **{"references": ["gold_only"], "ceiling_epochs": [1], "seeds": 1},
    }
    found = sy.study(plain, tmp_path / "out", workers=1).results
    check(found, 20, {"naive", "majority", "soft", "filter", "reweigh", "gold_only"})


def test_preferences(tmp_path: Path) -> None:
    pair_files.write_pairs(tmp_path)
    plain = pair_files.settings(tmp_path, arms=["majority", "filter"], recommend=True)
    plain["data"] = {**plain["data"], "weak_train": 20}
    plain["references"] = ["gold_only"]
    found = sy.study(plain, tmp_path / "out", workers=1).results
    check(found, 20, {"naive", "majority", "filter", "gold_only"})
    assert found["recommendation"]["arm"] == "gold_only"  # true labels against three in ten wrong


def test_generation(tmp_path: Path) -> None:
    asked = [("one", "a"), ("two", "b"), ("three", "c")]
    rows = [
        {"id": f"r{i}", "prompt": f"{prompt} {i}", "answer": answer}
        for i in range(60)
        for prompt, answer in [asked[i % 3]]
    ]
    votes = answered(rows, lambda row: (row["answer"], "z"))
    write(tmp_path, {"train": rows[:44], "test": rows[44:], "votes": votes})
    save_byte_llama(tmp_path / "llama")
    plain = {
        "task": "generation",
        "data": {
            **{name: str(tmp_path / f"{name}.jsonl") for name in ("train", "test")},
            "weak_train": 20,
        },
        "supervisors": [{"kind": "votes", "path": str(tmp_path / "votes.jsonl")}],
        "student": {
            **{"kind": "language_model", "model": str(tmp_path / "llama"), "lora": None},
            **{"max_new_tokens": 2, **TUNING},
        },
        "arms": ["majority", "filter"],
        "recommend": True,
        **{"references": ["gold_only"], "ceiling_epochs": [1], "seeds": 1},
    }
    found = sy.study(plain, tmp_path / "out", workers=1).results
    check(found, 20, {"naive", "majority", "filter", "gold_only"})
