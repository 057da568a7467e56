"""From Python: the example of `help(steelyard)` as a script, with and without a main guard."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = """
import steelyard as sy

result = sy.study("study.yaml")
print(result)
"""


def script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_example_of_the_package_runs_as_it_is(put: Callable[..., None], tmp_path: Path) -> None:
    import steelyard

    assert EXAMPLE.strip() in (steelyard.__doc__ or "")
    put(tmp_path)
    ran = script(tmp_path, EXAMPLE)
    assert ran.returncode == 0, ran.stderr
    assert "accuracy with 95 % intervals" in ran.stdout
    assert "votes, seed 0" in ran.stderr  # progress is shown from Python too


def test_several_workers_without_a_guard_are_refused_with_the_words_to_write(
    put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    ran = script(tmp_path, EXAMPLE.replace('"study.yaml"', '"study.yaml", workers=2'))
    last = ran.stderr.strip().splitlines()[-1]
    assert ran.returncode == 1
    assert 'Put the call of `study` into a block that begins with `if __name__ == "__main__":`' in (
        last
    )
    assert "`workers=1`" in last
    assert "killed" not in ran.stderr
    assert not list((tmp_path / "runs").rglob("votes-*"))


@pytest.mark.slow  # test_stop.py runs two workers in the default tier
def test_several_workers_with_a_guard_run(
    put: Callable[..., None], done: Path, tmp_path: Path
) -> None:
    put(tmp_path)
    call = 'print(sy.study("study.yaml", "run", workers=2))'
    ran = script(tmp_path, f'import steelyard as sy\n\nif __name__ == "__main__":\n    {call}\n')
    assert ran.returncode == 0, ran.stderr
    both = [json.loads((f / "run" / "results.json").read_text()) for f in (tmp_path, done)]
    assert both[0]["arms"] == both[1]["arms"]
