"""Stopped by a signal: an exit code, two lines, no process left, and the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "from steelyard.cli.main import run; run()"]
STOPPED = "Stopped. Finished work is stored; run the same command again to continue."


def start(folder: Path, workers: int) -> subprocess.Popen[str]:
    words = ["study", "study.yaml", "--out", "run", "--workers", str(workers)]
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, as a terminal's foreground job has
    )


def wait_for(done: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def group_of(leader: int) -> list[str]:
    """Processes of a group that still run."""
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended meanwhile
            continue
        if int(group) == leader and state != "Z":
            left.append((folder / "cmdline").read_text().replace("\0", " "))
    return left


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("workers", "number", "whole_group"),
    [
        pytest.param(1, signal.SIGTERM, False, id="one process, kill", marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, True, id="two workers, Ctrl-C"),
        pytest.param(2, signal.SIGTERM, False, id="two workers, kill", marks=pytest.mark.slow),
        pytest.param(1, signal.SIGINT, True, id="one process, Ctrl-C", marks=pytest.mark.slow),
    ],
)
def test_a_stopped_study_goes_on_where_it_was(
    put: Callable[..., None],
    steelyard: Callable[..., Any],
    done: Path,
    tmp_path: Path,
    workers: int,
    number: signal.Signals,
    whole_group: bool,
) -> None:
    put(tmp_path)
    process = start(tmp_path, workers)
    store = tmp_path / "run" / "store"
    wait_for(lambda: list(store.glob("votes-*/manifest.json")) or process.poll() is not None)
    (os.killpg if whole_group else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number, said
    assert [line for line in said.splitlines() if line and " s  " not in line] == [STOPPED]
    wait_for(lambda: not group_of(process.pid), seconds=5)
    assert not (tmp_path / "run" / "results.json").exists()

    again = steelyard("study", "study.yaml", "--out", "run", "--workers", 1)
    assert again.code == 0, again.err
    results = [json.loads((f / "run" / "results.json").read_text()) for f in (tmp_path, done)]
    assert results[0]["arms"] == results[1]["arms"]


@pytest.mark.slow
def test_two_signals_are_as_one_and_kill_9_leaves_no_worker(
    put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    for numbers in ([signal.SIGINT, signal.SIGINT], [signal.SIGTERM, signal.SIGINT]):
        process = start(tmp_path, 2)
        time.sleep(3)
        for number in numbers:
            os.killpg(process.pid, number)
            time.sleep(0.05)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 128 + numbers[0], said
        assert "Traceback" not in said
        wait_for(lambda leader=process.pid: not group_of(leader), seconds=5)
    process = start(tmp_path, 2)
    wait_for(lambda: sum("spawn_main" in line for line in group_of(process.pid)) == 2)
    time.sleep(2)
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: not group_of(process.pid), seconds=10)
