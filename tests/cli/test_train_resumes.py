"""`steelyard train` after a kill: it resumes from its last checkpoint, to the same weights."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

STUDENT = {
    **{"kind": "classifier", "model": "minilm", "train_layers": 1, "max_tokens": 16},
    **{"epochs": 3, "batch_size": 4, "checkpoint_steps": 5},
}
WORDS = ("train", "study.yaml", "--selection", "majority", "--out", "model")
COMMAND = [sys.executable, "-c", "from steelyard.cli.main import run; run()", *WORDS]
SLOW = """
import time
from steelyard.models.checkpoints import Checkpoints
save = Checkpoints.save
def slow(self, *args):
    save(self, *args)
    time.sleep(60)
Checkpoints.save = slow
from steelyard.cli.main import run; run()
"""


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def stopped(folder: Path, number: signal.Signals) -> str:
    """Train until the first checkpoint is written, then send a signal; returns stderr."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *WORDS], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 120
    while not list(folder.glob("model.unfinished/*/step-*/manifest.json")):
        assert time.monotonic() < end, "no checkpoint came"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert not (folder / "model").exists()
    return errors


def test_a_stopped_training_resumes_and_ends_as_an_undisturbed_one(
    put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path, student=STUDENT, arms=["majority"])
    errors = stopped(tmp_path, signal.SIGINT)
    last = errors.splitlines()[-1]
    assert last == "Stopped. The same command resumes training from the last checkpoint."
    resumed = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, check=True)
    steps = [line.split("step ")[1] for line in resumed.stderr.splitlines() if "step " in line]
    first, total = map(int, steps[0].split("/"))
    assert first > 5  # steps 1 to 5 were not done again
    assert steps[-1] == f"{total}/{total}"
    assert not (tmp_path / "model.unfinished").exists()
    after_stop = weights(tmp_path)

    shutil.rmtree(tmp_path / "model")
    stopped(tmp_path, signal.SIGKILL)
    subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert weights(tmp_path) == after_stop

    shutil.rmtree(tmp_path / "model")
    subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert weights(tmp_path) == after_stop


@pytest.mark.slow
def test_changed_settings_do_not_resume_another_training(
    put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path, student=STUDENT, arms=["majority"])
    stopped(tmp_path, signal.SIGKILL)
    other = [*COMMAND, "--set", "student.epochs=2"]
    subprocess.run(other, cwd=tmp_path, capture_output=True, text=True, check=True)
    beside_a_stopped_one = weights(tmp_path)
    shutil.rmtree(tmp_path / "model")
    subprocess.run(other, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert weights(tmp_path) == beside_a_stopped_one
