"""`--help` of every command: whole sentences, an example that parses, a page that exists."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer.main

from steelyard.cli.main import app
from steelyard.types.task_kinds import KINDS

ROOT = Path(__file__).parents[2]
GROUP: Any = typer.main.get_command(app)
COMMANDS = dict(GROUP.commands)


def test_each_command_is_defined_in_a_file_of_its_name() -> None:
    assert list(COMMANDS) == [
        *("demo", "study", "train", "evaluate", "generate", "label", "weigh", "report"),
        *("compare", "why"),
    ]
    for name, command in COMMANDS.items():
        assert command.callback.__module__ == f"steelyard.cli.{name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_is_explained_in_sentences(name: str) -> None:
    texts = {part.name: part.help for part in COMMANDS[name].params}
    assert texts
    for part, text in texts.items():
        assert text, part
        assert text[0].isupper(), (part, text)
        assert text.endswith("."), (part, text)
        assert len(text.split()) >= 4, (part, text)
        assert not text.startswith(("Of ", "Our ")), (part, text)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_can_be_parsed_and_the_page_exists(name: str) -> None:
    example, page = COMMANDS[name].epilog.split("\n\n")
    assert (ROOT / page.removeprefix("Documentation: ")).is_file()
    program, command, *arguments = shlex.split(example.removeprefix("Example: "))
    assert (program, command) == ("steelyard", name)
    COMMANDS[name].make_context(name, arguments)  # raises for an option that does not exist


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_types_are_shown_plainly(name: str, steelyard: Callable[..., Any]) -> None:
    shown = steelyard(*([name] if name else []), "--help")
    assert shown.code == 0
    assert "<bool>" not in shown.out
    assert "<list" not in shown.out
    assert "Example: steelyard" in shown.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_value_of_each_option_has_a_plain_name(name: str) -> None:
    options = [part for part in COMMANDS[name].params if part.param_type_name == "option"]
    assert [part.name for part in options if part.metavar is None and not part.is_flag] == []


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_printed(flag: str, steelyard: Callable[..., Any]) -> None:
    shown = steelyard(flag)
    assert (shown.code, shown.out) == (0, f"steelyard {version('steelyard')}\n")


def test_help_imports_no_command_body() -> None:
    """The command files are imported for their options; numpy and pydantic are not needed."""
    code = (
        "import sys; sys.argv = ['steelyard', '--help']\n"
        "from steelyard.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print('loaded:', *[m for m in ('numpy', 'pydantic', 'yaml', 'httpx') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "loaded:"


def test_the_kinds_of_tasks_in_the_help_of_label_are_all_there_are() -> None:
    (task,) = (part for part in COMMANDS["label"].params if part.name == "task")
    named = task.help.split(": ")[1].split(".")[0].replace(" or ", ", ").split(", ")
    assert sorted(named) == sorted(KINDS)
