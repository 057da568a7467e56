"""Executors call jobs, share cores and pass errors on."""

import ctypes
import os
import time
from pathlib import Path

import pytest

from steelyard.errors import ConfigError, InputError, SteelyardError
from steelyard.studies import executors
from steelyard.studies.executors import Local, executor, free_memory


def double(number: int) -> int:
    return 2 * number


def process(_: int) -> int:
    return os.getpid()


def device(_: int) -> tuple[int, str | None]:
    time.sleep(0.05)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")


def refuse(number: int) -> None:
    raise InputError(f"number {number} does not fit")


def die(_: int) -> None:
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers: int) -> None:
    with Local(workers) as pool:
        done = dict(pool.run(double, [(1,), (2,), (3,)]))
    assert done == {(1,): 2, (2,): 4, (3,): 6}


def test_one_worker_is_this_process() -> None:
    with Local(1) as pool:
        assert [result for _, result in pool.run(process, [(0,)])] == [os.getpid()]


def test_each_worker_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the GPUs that this process was given, by the names that it was given."""
    monkeypatch.setattr(executors, "gpus", lambda: ("3", "5"))
    with Local(2) as pool:
        found = dict(result for _, result in pool.run(device, [(i,) for i in range(8)]))
    assert set(found.values()) <= {"3", "5"}
    assert len(set(found.values())) == len(found)  # one for each process


def test_gpus_keep_the_names_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert torch.cuda.is_available() or executors.gpus() == ()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert executors.gpus() == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-8932f937")
    assert executors.gpus() == ("4", "GPU-8932f937")
    assert executors.default_workers() == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mistake_in_a_job_arrives_as_it_was_said(workers: int) -> None:
    with pytest.raises(InputError, match="number 7 does not fit"), Local(workers) as pool:
        list(pool.run(refuse, [(7,)]))


def test_a_killed_worker_is_a_sentence() -> None:
    with pytest.raises(SteelyardError, match="A worker process was killed"), Local(2) as pool:
        list(pool.run(die, [(0,), (1,)]))


def test_a_single_job_is_done_here_with_all_cores() -> None:
    with Local(2) as pool:
        assert [result for _, result in pool.run(process, [(0,)])] == [os.getpid()]


def test_a_number_of_workers_must_make_sense() -> None:
    with pytest.raises(ConfigError, match="`workers` must be at least 1, got 0"):
        executor("local", 0)


def test_ray_does_the_same_jobs() -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with executor("ray", 2) as pool:
        assert sorted(result for _, result in pool.run(double, [(1,), (2,)])) == [2, 4]


def test_collecting_garbage_takes_a_small_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collection of 0.2 s: another after 4 s, whatever the number of jobs."""
    now = 0.0
    collected: list[float] = []

    def collect() -> None:
        nonlocal now
        collected.append(now)
        now += 0.2

    monkeypatch.setattr(executors, "_LAST", executors._Collected())
    monkeypatch.setattr(executors.gc, "collect", collect)
    monkeypatch.setattr(executors.time, "monotonic", lambda: now)
    for _ in range(100):
        free_memory()
        now += 0.1
    assert len(collected) == 3  # at 0 s, and twice some four seconds later


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc: not Linux")
def test_freed_memory_goes_back_to_the_system() -> None:
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("this C library has no malloc_trim")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20

    blocks = [bytes(2000) for _ in range(100_000)]  # 200 MB in the heap
    del blocks[:-1]  # the last one, above them all, keeps the heap from shrinking
    before = resident()
    free_memory()
    assert before - resident() > 100
    assert len(blocks) == 1
