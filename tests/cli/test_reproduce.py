"""The command under "How to reproduce" can be pasted into a shell."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_command_is_pasted_and_gives_the_same_results(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    (tmp_path / "study.yaml").rename(tmp_path / "my study.yaml")
    words = ("study", "my study.yaml", "--set", "arms=[naive, filter]", "--set", "seeds=[0, 3]")
    first = steelyard(*words, "--out", "my run", "--workers", 1)
    assert first.code == 0, first.err
    results = json.loads((tmp_path / "my run" / "results.json").read_text())
    command = results["reproduce"]["command"]
    assert shlex.split(command) == [
        *("steelyard", *words, "--out", "my run", "--workers", "1"),
    ]
    shutil.rmtree(tmp_path / "my run")
    program = f"{shlex.quote(sys.executable)} -m steelyard"
    pasted = command.replace("steelyard", program, 1)
    ran = subprocess.run(
        ["sh", "-c", pasted], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    second = json.loads((tmp_path / "my run" / "results.json").read_text())
    for part in ("arms", "ceiling", "seeds", "reproduce"):
        assert results[part] == second[part]


def test_options_that_were_not_given_are_not_added(
    steelyard: Callable[..., Any], put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    assert steelyard("study", "study.yaml", "--workers", 1).code == 0
    results = json.loads((tmp_path / "runs" / "study" / "results.json").read_text())
    assert results["reproduce"]["command"] == "steelyard study study.yaml --workers 1"
