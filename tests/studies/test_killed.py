"""Killed at any moment, the same command ends with the same results."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STUDY = """
name: killed
task: classification
data: {generated: errands, weak_train: 120, strong_train: 160, max_test: 200}
supervisors: [{kind: tfidf, voters: 3}]
student:
  {kind: classifier, model: minilm, train_layers: 1, epochs: 3, max_tokens: 32, checkpoint_steps: 3}
arms: [filter, reweigh]
match: steps
seeds: 2
"""
CLOCK = ("seconds", "costs", "reproduce")


def command(study: Path, out: Path, workers: int) -> list[str]:
    call = "from steelyard.cli.main import run; run()"
    return [
        *(sys.executable, "-c", call, "study", str(study)),
        *("--out", str(out), "--workers", str(workers)),
    ]


def results(out: Path) -> dict[str, Any]:
    found = json.loads((out / "results.json").read_text())
    return {key: value for key, value in found.items() if key not in CLOCK}


def kill_after(run: subprocess.Popen[str], jobs: int, seconds: float) -> bool:
    """Kill a study some time after it has said that so many jobs are done; False if it ended."""
    assert run.stderr is not None
    for line in run.stderr:
        jobs -= ", seed " in line
        if jobs == 0:
            break
    try:
        run.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    return run.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_killed_again_and_again_ends_like_an_undisturbed_one(
    tmp_path: Path, workers: int
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    subprocess.run(command(study, tmp_path / "calm", workers), check=True, **options)
    rng = np.random.default_rng(workers)
    kills = 0
    wild = command(study, tmp_path / "wild", workers)
    while kill_after(
        subprocess.Popen(wild, start_new_session=True, **options),
        jobs=int(rng.integers(2, 5)),  # what is read from the store is not reported
        seconds=rng.uniform(0, 3),
    ):
        kills += 1
        assert kills < 20
    assert kills >= 2
    assert results(tmp_path / "wild") == results(tmp_path / "calm")
