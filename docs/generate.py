"""Write the generated pages: from the code, kept results and measured benchmarks.

python docs/generate.py           write them
python docs/generate.py --check   write nothing; exit 1 and name a page that is not current
"""

import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from api_page import api_page
from executed_blocks import execute
from page_parts import NOTE, fill
from public_names import public_names
from results_page import readme_study, readme_table, results_page
from settings_pages import SETTINGS, settings_pages
from sources_page import papers, sources_page

DOCS = Path(__file__).parent
NAMES = "../src/steelyard/__init__.py"
ROOT = DOCS.parent


# ---------------------------------------------------------------- cli.md


def cli_page() -> str:
    """`--help` of every command, plain and 100 characters wide."""
    import typer.main

    from steelyard.cli.main import app

    group: Any = typer.main.get_command(app)
    parts = ["# The command line", NOTE, _CLI_TOP, _help(group, "steelyard")]
    for name, command in group.commands.items():
        parts += [f"## steelyard {name}", _help(command, f"steelyard {name}")]
    return "\n\n".join(parts) + "\n"


_CLI_TOP = """Exit codes: 0 success; 2 an error that you can correct, reported on one line that
begins with `error:`; 130 or 143 stopped by a signal (run the same command again to continue); 1 a
bug, with its traceback. `-v` shows the traceback of errors with exit code 2 too."""


def _help(command: Any, name: str) -> str:
    command.rich_markup_mode = None  # plain text, whatever terminal or version of rich
    context = command.context_class(
        command,
        info_name=name,
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    return "```text\n" + "\n".join(lines) + "\n```"


# ---------------------------------------------------------------- speed.md, README.md

MEASURED = "<!-- Generated from benchmarks/results by docs/generate.py: run `make docs`. -->"


def speed_page() -> str:
    """Ratios, machines and figures of every benchmark."""
    text: str = _benchmarks().speed_page(MEASURED)
    return text


def growth_figure() -> str:
    text: str = _benchmarks().growth_figure()
    return text


def readme() -> str:
    """The README with its marked blocks filled: outputs, tables of results, papers."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = (("study", readme_study()), ("results", readme_table()), ("papers", papers()))
    for name, block in blocks:
        text = fill(text, name, block)
    return execute(text)


def tutorial(name: str) -> str:
    """A page with the output of its commands."""
    return execute((DOCS / name).read_text(encoding="utf-8"))


def _benchmarks() -> Any:
    """benchmarks/page.py, which is no part of the package."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("benchmarks.page")


PAGES: dict[str, Callable[[], str]] = {
    NAMES: public_names,  # first: the pages import the package with these names
    **{name: partial(lambda page: settings_pages()[page], name) for name in SETTINGS},
    "cli.md": cli_page,
    "api.md": api_page,
    "sources.md": sources_page,
    "results.md": results_page,
    "speed.md": speed_page,
    "growth.svg": growth_figure,
    "tutorial-weigh.md": partial(tutorial, "tutorial-weigh.md"),
    "weigh.md": partial(tutorial, "weigh.md"),
    "../README.md": readme,
}


def main(check: bool) -> int:
    """Write or check the pages; the number of pages that are not current."""
    stale = 0
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        shown = f"docs/{name}".replace("docs/../", "")
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            stale += 1
            print(f"{shown} is not current; run `make docs`.")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{shown} written")
            if name == NAMES:
                os.execv(sys.executable, [sys.executable, *sys.argv])  # import them again
    return stale


if __name__ == "__main__":
    sys.exit(1 if main("--check" in sys.argv[1:]) else 0)
