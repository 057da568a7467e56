"""A command that fails leaves what an earlier one made."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


FAILURES = {
    "bad row": {"train": {3: {"label": None}}},
    "bad settings": {"student": {"kind": "prob"}},
    "bad model": {"student": {"kind": "probe", "model": "minilm", "layers": 99}},
    "bad votes": {
        "supervisors": [{"kind": "votes", "path": "votes.csv"}],
        "files": {"votes.csv": "id,voter,answer\ntrain-1,a,cok\n"},
    },
}


@pytest.mark.parametrize("changes", FAILURES.values(), ids=FAILURES)
def test_a_study_that_fails_leaves_the_earlier_run_whole(
    refused: Callable[..., str],
    steelyard: Callable[..., Any],
    done: Path,
    tmp_path: Path,
    changes: dict[str, Any],
) -> None:
    shutil.copytree(done / "run", tmp_path / "run")
    before = contents(tmp_path / "run")
    reports = {"results.json", "predictions.csv", "report.html", "report.md"}
    assert {*reports, "study.lock.yaml"} == set(before)
    refused("study", "study.yaml", "--out", "run", "--workers", 1, **changes)
    assert contents(tmp_path / "run") == before
    for name in ("train.jsonl", "test.jsonl"):
        shutil.copy(done / name, tmp_path / name)
    assert "All 26 stored results are up to date" in steelyard("why", "run").out


def test_the_lock_of_a_run_repeats_it_from_its_own_folder(
    steelyard: Callable[..., Any], done: Path, tmp_path: Path
) -> None:
    """Files are named from the folder of the lock, wherever the command is called."""
    shutil.copytree(done, tmp_path / "deep" / "er")
    lock = "deep/er/run/study.lock.yaml"
    said = steelyard("study", lock, "--out", "deep/er/run", "--workers", 1)
    assert said.code == 0
    assert "16 of 16 results reused" in said.err  # 2 seeds: votes, ceiling, 4 arms, 2 references
    assert "/12  " not in said.err  # no job was done again
