"""Write the pages that are made: from the code, and from what the benchmarks measured.

python docs/generate.py           write them
python docs/generate.py --check   write nothing; exit 1 and name a page that is not current
"""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from page_parts import NOTE, folded, row_of, table_head
from study_page import study_page

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SOURCE = ROOT / "src" / "steelyard"


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


_CLI_TOP = """Exit codes: 0 done; 2 a mistake that you can mend, as one line
`error: ...`; 130 or 143 stopped by a signal, and the same command goes on from there; 1 a bug, with
its traceback. `-v` shows the tracebacks of mistakes too."""


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


# ---------------------------------------------------------------- sources.md


def sources_page() -> str:
    """Where each public class and function comes from."""
    rows = [row_of(*cells) for cells in sorted(_sources())]
    head = table_head("class or function", "source", "module", "test")
    return "\n\n".join(["# Sources", NOTE, _SOURCES_TOP, "\n".join([*head, *rows])]) + "\n"


_SOURCES_TOP = """What comes from a paper, from the `Source:` lines of the docstrings; what
was changed stands in parentheses. The test is the file that mirrors the module."""


def _sources() -> Iterator[tuple[str, str, str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        test = Path("tests", place.parent, f"test_{place.name}")
        link = (
            f"[{test.as_posix()}](../{test.as_posix()})" if (ROOT / test).exists() else "none yet"
        )
        module = f"[{place.as_posix()}](../src/steelyard/{place.as_posix()})"
        for name, text in _docstrings(ast.parse(path.read_text(encoding="utf-8")), ""):
            source = re.search(r"^\s*Source: (.+?)(?:\n\s*\n|\Z)", text, re.DOTALL | re.MULTILINE)
            if source:
                yield f"`{name}`", folded(source[1]), module, link


def _docstrings(tree: ast.AST, prefix: str) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield prefix + node.name, ast.get_docstring(node) or ""
            if isinstance(node, ast.ClassDef):
                yield from _docstrings(node, f"{prefix}{node.name}.")


# ---------------------------------------------------------------- speed.md, the table in README.md

SPEED = re.compile(r"(?<=<!-- speed -->\n).*?(?=<!-- /speed -->)", re.DOTALL)
MEASURED = "<!-- Written by docs/generate.py from benchmarks/results; `make docs` writes it. -->"


def speed_page() -> str:
    """Ratios, machines and figures of every benchmark."""
    return _benchmarks().speed_page(MEASURED)


def growth_figure() -> str:
    return _benchmarks().growth_figure()


def readme() -> str:
    """The README as it stands, its marked block filled with the ratios."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return SPEED.sub(lambda _: _benchmarks().readme_table() + "\n", text)


def _benchmarks() -> Any:
    """What tells of the benchmarks lives beside them, and is no part of the package."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("benchmarks.page")


PAGES = {
    "study.md": study_page,
    "cli.md": cli_page,
    "sources.md": sources_page,
    "speed.md": speed_page,
    "growth.svg": growth_figure,
    "../README.md": readme,
}


def main(check: bool) -> int:
    """Write or check the pages; the number of pages that are not current."""
    stale = 0
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        shown = f"docs/{name}".removeprefix("docs/../")
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            stale += 1
            print(f"{shown} is not current; run `make docs`.")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{shown} written")
    return stale


if __name__ == "__main__":
    sys.exit(1 if main("--check" in sys.argv[1:]) else 0)
