"""Supervisors that judge in preference stages are trained once, whoever asks for them."""

import json
from pathlib import Path
from typing import Any

import pytest

from steelyard.store.store import Store
from steelyard.studies.config import make_study
from steelyard.studies.run import Run
from steelyard.studies.votes import MODELS, trained_writers
from steelyard.supervision import LanguageModelVoters


class Trained:
    """A trained model of one file."""

    def save(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "weights").write_text("w")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    rows = [{"id": f"r{i}", "prompt": f"{i} + 1?", "answer": str(i + 1)} for i in range(20)]
    for name, part in (("train", rows), ("test", rows)):
        lines = [json.dumps({**row, "id": f"{name}-{row['id']}"}) for row in part]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    writer = {"kind": "language_model", "model": str(model), "beams": 2, "finetune": {}}
    return {
        "task": "generation",
        "data": {
            "train": str(tmp_path / "train.jsonl"),
            "test": str(tmp_path / "test.jsonl"),
            "weak_train": 8,
        },
        "supervisors": [{**writer, "voters": 2}],
        "student": {"kind": "language_model", "model": str(model)},
        "arms": [{"name": "preferred", "selection": "hard", "preference": {}}],
        "seeds": 2,
    }


def test_a_voter_is_trained_once_for_votes_and_all_preference_arms(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[tuple[int, int]] = []

    def voter(self: Any, request: Any, number: int) -> Trained:
        trained.append((request.seed, number))
        return Trained()

    monkeypatch.setattr(LanguageModelVoters, "load_voter", voter)
    store = Store(tmp_path / "store")
    for _ in range(2):  # as two processes, or two arms
        run = Run(make_study(settings), store)
        for seed in (0, 1):
            folder = trained_writers(run, seed)
            assert folder is not None
            for number in (0, 1):
                assert (folder(0, number) / "weights").read_text() == "w"
    assert sorted(trained) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    store.forget(MODELS)
    assert not list(store.root.glob(f"{MODELS}-*"))


def test_without_a_preference_arm_no_model_is_kept(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    run = Run(make_study({**settings, "arms": ["majority"]}), Store(tmp_path / "store"))
    assert trained_writers(run, 0) is None
