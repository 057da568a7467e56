"""Commands load what they need: torch alone takes longer than they may."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAVY = ("torch", "transformers", "sklearn", "matplotlib", "datasets")
JUDGE = "{kind: api, base_url: 'http://127.0.0.1:9/v1', model: m, classes: ['no', 'yes']}"
LABEL = ("label", "items.jsonl", "--supervisor", JUDGE, "--out", "votes.jsonl", "--dry-run")
COMMAND = (
    "from steelyard.cli.main import run\ntry: run()\nexcept SystemExit as stop: code = stop.code"
)


def loaded(folder: Path, code: str, *words: str) -> tuple[str, list[str]]:
    """What is printed, and the heavy modules that are loaded at the end, in a fresh process."""
    code = (
        f"code = 0\n{code}\nimport sys, json\nprint(json.dumps(list(sys.modules)))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    said, _, modules = done.stdout.rstrip("\n").rpartition("\n")
    return said, [name for name in json.loads(modules) if name in (*HEAVY, "numpy", "scipy")]


def test_the_package_itself_loads_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, "import steelyard") == ("", [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("weigh", "votes.csv"), "3 items, 6 votes, 2 voters"),
        (LABEL, "m: 10 queries, 0 answered already, 10 to send"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_loads_what_it_needs(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / "votes.csv").write_text("id,ann,bob\n1,x,y\n2,x,x\n3,y,y\n", encoding="utf-8")
    # five ways of asking each of two questions
    text = '{"id": "1", "text": "Is 7 prime?"}\n{"id": "2", "text": "Is 8 prime?"}\n'
    (tmp_path / "items.jsonl").write_text(text, encoding="utf-8")
    said, heavy = loaded(tmp_path, COMMAND, *words)
    assert says in said
    assert set(heavy) <= {"numpy", "scipy"}


def test_a_mistake_in_a_server_is_said_as_a_studys_is(
    steelyard: Callable[..., Any], tmp_path: Path
) -> None:
    """The short way to an `api` supervisor leads nowhere else."""
    (tmp_path / "items.jsonl").write_text('{"id": "1", "text": "a"}\n', encoding="utf-8")
    for settings, said in (
        ("{kind: api, base_url: 'http://127.0.0.1:9/v1', modle: m}", "Did you mean `model`?"),
        ("{base_url: 'http://127.0.0.1:9/v1', model: m}", "kind"),
        ("{kind: apo, base_url: 'http://127.0.0.1:9/v1', model: m}", "Did you mean `api`?"),
    ):
        error = steelyard(
            "label", "items.jsonl", "--supervisor", settings, "--out", "v.jsonl"
        ).error
        assert error.startswith("error: --supervisor: ")
        assert said in error
