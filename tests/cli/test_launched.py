"""Commands under `torchrun` and `accelerate launch`: one process leads, all train."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"),
    *("-m", "steelyard"),
]
ACCELERATE = [
    *(sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--cpu"),
    *("--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"),
    *("--dynamo_backend", "no", "-m", "steelyard"),
]
STUDENT = {
    **{"kind": "classifier", "model": "minilm", "layers": 1, "max_tokens": 16, "epochs": 2},
    **{"batch_size": 6, "precision": "fp32"},
}
SMALL: dict[str, Any] = {
    **{"student": STUDENT, "arms": ["majority"], "seeds": 1, "ceiling_epochs": []},
    "references": ["gold_only"],
}
pytestmark = pytest.mark.slow


def launched(
    launcher: list[str], folder: Path, *words: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*launcher, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode == 0) == (code == 0), done.stderr
    return done


def scores(folder: Path) -> tuple[list[str], list[list[float]]]:
    """The stored results, and the losses of all students."""
    stored = sorted(path.name for path in (folder / "store").iterdir() if "-" in path.name)
    records = sorted((folder / "store").glob("*/content.json"))
    contents = [json.loads(path.read_text()).get("record", {}).get("value") for path in records]
    return stored, [value["loss"] for value in contents if value and "loss" in value]


def test_a_study_by_two_processes_is_that_of_one(put: Callable[..., None], tmp_path: Path) -> None:
    put(tmp_path, **SMALL)
    alone = [sys.executable, "-m", "steelyard"]
    launched(alone, tmp_path, "study", "study.yaml", "--out", "one", "--workers", "1")
    done = launched(TORCHRUN, tmp_path, "study", "study.yaml", "--out", "two")
    assert done.stdout.count("report: ") == 1
    assert "Warning" not in done.stderr
    (names, losses), (same, found) = scores(tmp_path / "one"), scores(tmp_path / "two")
    assert names == same
    assert len(losses) > 2  # the arm, controls and the ceiling
    for loss, other in zip(losses, found, strict=True):
        np.testing.assert_allclose(loss, other, atol=1e-4)


def test_accelerate_launch_trains_and_saves_once(put: Callable[..., None], tmp_path: Path) -> None:
    put(tmp_path, **SMALL)
    words = ("train", "study.yaml", "--selection", "majority", "--out", "model")
    done = launched(ACCELERATE, tmp_path, *words)
    assert done.stdout.count("model: model") == 1
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert not (tmp_path / "model.unfinished").exists()


def test_an_error_ends_all_processes(put: Callable[..., None], tmp_path: Path) -> None:
    put(tmp_path, **SMALL)
    words = ("study", "study.yaml", "--workers", "2")
    assert "2 processes were launched" in launched(TORCHRUN, tmp_path, *words, code=2).stderr
