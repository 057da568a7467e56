"""What is shown of a study while it runs, and how the time left is estimated."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steelyard.studies.progress import StderrProgress, TimeLeft, clock, named

JOBS = [(0, "votes"), (1, "votes"), (0, "ceiling"), (1, "ceiling"), (0, "naive"), (1, "naive")]


def test_time_left_is_estimated_by_kind_of_job() -> None:
    left = TimeLeft(JOBS)
    assert left.seconds([]) is None  # nothing was measured
    left.done(JOBS[:1], 10.0, reused=False)
    left.done(JOBS[1:2], 20.0, reused=False)
    assert left.seconds([(JOBS[2:3], 5.0, 0.0)]) is None  # of students nothing is known
    # half of a student's steps took 30 s: 4 students of 60 s, 30 s of which have passed
    assert left.seconds([(JOBS[2:3], 30.0, 0.5)]) == 4 * 60 - 30
    left.done(JOBS[2:3], 60.0, reused=False)
    assert left.seconds([(JOBS[3:4], 15.0, 0.0)]) == 3 * 60 - 15
    # two workers share what is left: 3 x 60 s less 15 s and 5 s
    assert left.seconds([(JOBS[3:4], 15.0, 0.0), (JOBS[4:5], 5.0, 0.0)]) == 160 / 2


def test_reused_results_do_not_make_the_estimate_shorter() -> None:
    left = TimeLeft(JOBS)
    left.done(JOBS[:2], 0.1, reused=True)
    left.done(JOBS[2:3], 50.0, reused=False)
    left.done(JOBS[3:4], 0.1, reused=True)
    assert left.seconds([]) == 2 * 50


@pytest.mark.parametrize("knows_begin", [True, False])
def test_a_result_that_arrives_after_its_worker_went_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], knows_begin: bool
) -> None:
    """The next job's begin must not be taken for the end of this one: "about 0 s left"."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with StderrProgress("study.yaml") as watch:
        watch.begin(JOBS[2:])
        if knows_begin:
            watch.started(7, JOBS[2:3])
        now = 60.0
        if knows_begin:
            watch.started(7, JOBS[3:4])  # the same worker's next, before the result is read
        watch.done(7, JOBS[2:3], False)
        now = 75.0
        watch.done(8, JOBS[4:5], False)  # a worker of which nothing was heard
    lines = capsys.readouterr().err.splitlines()
    # 3 students of 60 s are left, none of which has begun but now; then 2, one of them for 15 s
    shown = [line.rpartition("  ")[2] for line in lines[1:]]
    if knows_begin:
        assert shown == ["about 3 min left", "about 2 min left"]  # 2 x 60 - 15 = 105 s
    else:
        assert shown == ["ceiling, seed 0", "naive, seed 0"]  # nothing was measured


def test_jobs_and_times_are_named() -> None:
    assert named(JOBS[:1]) == "votes, seed 0"
    assert named(JOBS[2:]) == "ceiling, seed 0 and 3 more"
    assert [clock(seconds) for seconds in (7.4, 300, 7500)] == ["7 s", "5 min", "2 h 5 min"]


def test_lines_name_what_is_done_and_count_what_is_reused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with StderrProgress("study.yaml\x1b[31m") as watch:
        assert "study.yaml\\x1b[31m: loading libraries and data" in capsys.readouterr().err
        watch.begin(JOBS)
        watch.started(7, JOBS[:1])
        watch.done(7, JOBS[:1], False)
        watch.done(7, JOBS[1:2], True)
        watch.step(9, 1, 2)  # a worker that has nothing to do: late news is dropped
        watch.done(7, JOBS[2:], True)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("s  ", 1)[1] for line in lines] == [
        "1/6  votes, seed 0",
        "5 of 6 results reused",
    ]


def test_a_terminal_shows_what_runs_in_each_worker_and_its_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    with StderrProgress("study.yaml") as watch:
        bar: Any = watch._bar
        watch.begin(JOBS)
        watch.started(1, JOBS[:1])
        watch.started(2, JOBS[2:3])
        watch.step(2, 3, 12)
        (task,) = bar.tasks
        assert (task.completed, task.total) == (0, 6)
        assert task.description == "votes, seed 0; ceiling, seed 0 3/12"
        watch.done(1, JOBS[:1], True)
        assert task.description == "ceiling, seed 0 3/12; 1 reused"
        assert task.completed == 1


def test_the_first_line_comes_before_the_heavy_imports(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('numpy', 'torch'):\n"
        "            raise SystemExit(77)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from steelyard.cli.main import run; run()"
    )
    for words in (("study", "s.yaml"), ("demo",), ("train", "s.yaml", "--selection", "a")):
        out = ("--out", "out")
        ran = subprocess.run(
            [sys.executable, "-c", code, *words, *out],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 77, ran.stderr
        assert "0.0 s  " in ran.stderr.splitlines()[0]


@pytest.mark.slow  # test_stop.py runs two workers in the default tier
def test_a_study_reports_the_jobs_of_its_workers(put: Callable[..., None], tmp_path: Path) -> None:
    """Two processes tell this one what they begin, which steps they do, and what they reuse."""
    from steelyard import study

    student = {"kind": "classifier", "model": "minilm", "train_layers": 1, "max_tokens": 16}
    put(tmp_path, student={**student, "epochs": 2}, arms=["majority"])
    seen: list[tuple[Any, ...]] = []

    class Recorder:
        def begin(self, jobs: Any) -> None:
            seen.append(("begin", len(jobs)))

        def started(self, worker: int, jobs: Any) -> None:
            seen.extend(("started", *job) for job in jobs)

        def step(self, worker: int, done: int, total: int) -> None:
            seen.append(("step", done, total))

        def done(self, worker: int, jobs: Any, reused: bool) -> None:
            seen.extend(("done", *job, reused) for job in jobs)

    study(tmp_path / "study.yaml", tmp_path / "run", workers=2, watch=Recorder())
    begun = [event[1:] for event in seen if event[0] == "started"]
    ended = [event[1:3] for event in seen if event[0] == "done"]
    assert sorted(begun) == sorted(ended)
    assert ("begin", len(ended)) == seen[0]
    assert (0, "votes") in begun
    steps = [event[1:] for event in seen if event[0] == "step"]
    assert all(done <= total for done, total in steps)
    assert any(done == total for done, total in steps)
    assert not any(event[3] for event in seen if event[0] == "done" and event[2] == "ceiling")

    seen.clear()
    study(tmp_path / "study.yaml", tmp_path / "run", watch=Recorder())
    assert [event[3] for event in seen if event[0] == "done"] == [True] * len(ended)
