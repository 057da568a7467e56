"""The core without torch and the other optional libraries; their absence in one line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faulty_server import FaultyServer
from steelyard.errors import ConfigError
from steelyard.extras import EXTRAS, missing_extra, require

OPTIONAL = ("torch", "transformers", "accelerate", "peft", "datasets", "safetensors")
CODE = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {OPTIONAL}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
from steelyard.cli.main import run
run()
"""


def without_extras(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A command in a process in which no optional library can be imported."""
    return subprocess.run(
        [sys.executable, "-c", CODE, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_weigh_needs_no_extra(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text("id,ann,bob,eva\n1,x,y,x\n2,x,x,x\n3,y,y,x\n")
    (tmp_path / "truth.csv").write_text("id,truth\n1,x\n2,x\n3,y\n")
    ran = without_extras(tmp_path, "weigh", "votes.csv", "--truth", "truth.csv", "--out", "out")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out" / "report.html").is_file()


def test_labels_of_a_server_need_no_extra(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": "1", "text": "a"}\n{"id": "2", "text": "b"}\n')
    with FaultyServer(lambda body: "ham") as server:
        settings = f"{{kind: api, base_url: '{server.url}', model: m, classes: [ham, spam]}}"
        words = ("label", "items.jsonl", "--supervisor", settings, "--out", "votes.jsonl")
        ran = without_extras(tmp_path, *words)
        wrong = without_extras(tmp_path, *words[:3], settings.replace("model", "modle"), *words[4:])
    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text().splitlines()]
    assert {row["answer"] for row in rows} == {"ham"}
    assert wrong.returncode == 2
    assert "Did you mean `model`?" in wrong.stderr


def test_a_finished_study_is_reported_and_explained_without_extras(
    done: Path, tmp_path: Path
) -> None:
    shutil.copytree(done / "run", tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    ran = without_extras(tmp_path, "report", "run")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "run" / "report.html").is_file()
    why = without_extras(tmp_path, "why", "run", "seed-0/filter/selection")
    assert why.returncode == 0, why.stderr
    assert "made by: selection" in why.stdout
    assert "was not checked, because that needs the extra `train`" in why.stdout


@pytest.mark.parametrize("command", ["study", "train", "evaluate"])
def test_a_command_whose_extra_is_missing_says_so_in_one_line(
    command: str, put: Callable[..., None], tmp_path: Path
) -> None:
    put(tmp_path)
    options: dict[str, tuple[str, ...]] = {
        "study": ("study.yaml",),
        "train": ("study.yaml", "--selection", "filter", "--out", "model"),
        "evaluate": ("model", "test.jsonl"),
    }
    ran = without_extras(tmp_path, command, *options[command])
    assert ran.returncode == 2
    *progress, last = ran.stderr.splitlines()
    assert all(" s  " in line for line in progress)
    assert last == (
        f"error: `steelyard {command}` needs the extra `train`: pip install 'steelyard[train]'"
    )


def test_an_unknown_module_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_extra("`steelyard study`", "numpy") is None
    assert missing_extra("`steelyard study`", None) is None
    error: Any = missing_extra("`data.hub`", "datasets.load")
    assert str(error) == "`data.hub` needs the extra `hub`: pip install 'steelyard[hub]'"
    require("this test", "numpy", "torch")
    monkeypatch.setitem(EXTRAS, "no_such_module", "none")
    with pytest.raises(ConfigError, match="this test needs the extra `none`"):
        require("this test", "no_such_module")
