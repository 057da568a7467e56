"""sources.md and the papers in the README, from the `Source:` lines of the docstrings."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from page_parts import NOTE, folded, row_of, table_head

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "steelyard"

_TOP = """What comes from a paper, from the `Source:` lines of the docstrings; departures from the
source stand in parentheses. The tests are the files that name the class or function."""
_NAME = r"[A-Z][\w'-]+"
_CITED = re.compile(rf"({_NAME}(?:, {_NAME})*(?: et al\.| and {_NAME})?),? ((?:19|20)\d\d)")


def sources_page() -> str:
    """Where each class and function that has a source comes from."""
    rows = [row_of(*cells) for cells in sorted(_rows())]
    head = table_head("class or function", "source", "module", "tests")
    return "\n\n".join(["# Sources", NOTE, _TOP, "\n".join([*head, *rows])]) + "\n"


def papers(lowest: int = 2) -> str:
    """Papers on arXiv that at least `lowest` files cite, those that most files cite first."""
    labels: dict[str, dict[Path, str]] = {}  # the first label in each file
    for _, text, path in _sourced():
        for number in re.finditer(r"arXiv:(\d{4}\.\d{5})", text):
            cited = _CITED.findall(text[: number.start()])
            if cited:
                labels.setdefault(number[1], {}).setdefault(path, " ".join(cited[-1]))
    order = sorted(labels, key=lambda number: (-len(labels[number]), number))
    shown = [number for number in order if len(labels[number]) >= lowest]
    names = {number: next(iter(files.values())) for number, files in labels.items()}
    return ", ".join(f"{names[n]} ([{n}](https://arxiv.org/abs/{n}))" for n in shown) + "."


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for name, text, path in _sourced():
        place = path.relative_to(SOURCE).as_posix()
        links = [f"[{test}](../{test})" for test in _tests_of(name, path)]
        module = f"[{place}](../src/steelyard/{place})"
        yield f"`{name}`", text, module, ", ".join(links) or "those of its callers"


def _sourced() -> Iterator[tuple[str, str, Path]]:
    """Name, source and file of whatever has a `Source:` line."""
    for path in sorted(SOURCE.rglob("*.py")):
        for name, text in _docstrings(ast.parse(path.read_text(encoding="utf-8")), ""):
            source = re.search(r"^\s*Source: (.+?)(?:\n\s*\n|\Z)", text, re.DOTALL | re.MULTILINE)
            if source:
                yield name, folded(source[1]), path


def _docstrings(tree: ast.AST, prefix: str) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield prefix + node.name, ast.get_docstring(node) or ""
            if isinstance(node, ast.ClassDef):
                yield from _docstrings(node, f"{prefix}{node.name}.")


def _tests_of(name: str, module: Path) -> list[str]:
    """The tests of a class or function, at most two files, best first.

    The file that mirrors the module, if it names it; else those that name it most often, of the
    same folder if there are any; else those that name something else of the module.
    """
    room = module.relative_to(SOURCE).parent.as_posix()
    mirror = f"tests/{room}/test_{module.name}"
    others = [
        node.name
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]
    for names in ([name.rpartition(".")[2]], others):
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
        counts = {path: len(pattern.findall(text)) for path, text in _test_texts().items()}
        if counts.get(mirror):
            return [mirror]
        named = [path for path, count in counts.items() if count]
        near = [path for path in named if path.startswith(f"tests/{room}/")] or named
        if near:
            return sorted(near, key=lambda path: (-counts[path], path))[:2]
    return []


@cache
def _test_texts() -> dict[str, str]:
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in paths}
