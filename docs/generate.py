"""Write the pages that are made: from the code, and from what the benchmarks measured.

python docs/generate.py           write them
python docs/generate.py --check   write nothing; exit 1 and name a page that is not current
"""

import ast
import importlib
import inspect
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SOURCE = ROOT / "src" / "steelyard"
NOTE = "<!-- Written by docs/generate.py from the code; `make docs` writes it anew. -->"


# ---------------------------------------------------------------- study.md


def study_page() -> str:
    """Every setting of a study file."""
    from steelyard.arms import Arm
    from steelyard.config import Study

    shown = list(dict.fromkeys([Study, *_below(Study), Arm, *_below(Arm)]))
    stages: dict[str, list[type[BaseModel]]] = {stage: [] for stage in _TITLES}
    shared = []
    for model in shown:
        if "kind" in model.model_fields:
            stages[_stage(model)].append(model)
        elif _stage(model) in ("models", "prompts", "reliability", "student"):
            shared.append(model)
    parts = [_STUDY_TOP]
    parts += [_section(model) for model in (Study, *_models(Study.model_fields["data"].annotation))]
    for stage, title in _TITLES.items():
        if stage == "reliability":
            parts += [_section(Arm), _presets()]
        parts += [f"## {title}", *(_section(model) for model in stages[stage])]
        if stage == "student":
            parts += [_section(model) for model in shared]
    return "\n\n".join([*parts, _metrics()]) + "\n"


_TITLES = {
    "supervision": "Supervisors: an entry of `supervisors`",
    "student": "Students: the value of `student`",
    "reliability": "Estimators: `reliability` of an arm",
    "selection": "Selections: `selection` of an arm",
    "objectives": "Objectives: `objective` of an arm",
}


def _stage(model: type[BaseModel]) -> str:
    """The room that a settings class lives in; objectives, of the students' room, are apart."""
    _, *rooms = model.__module__.split(".")
    return next((room for room in reversed(rooms) if room in _TITLES), rooms[0])


_STUDY_TOP = f"""# The study file

{NOTE}

A study is one YAML file. Settings that are not listed here are refused, with the nearest one that
is. `steelyard study STUDY.yaml --set student.epochs=2` overrides a setting; an entry of a list is
named by its number from 0 (`--set supervisors.0.voters=3`). What was run, with every default, is
in `study.lock.yaml` beside the results. What the settings mean for the method is in
[method.md](method.md), what the files look like in [formats.md](formats.md)."""


def _below(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Settings that a settings' fields and public bases hold, depth first."""
    found: list[type[BaseModel]] = []
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            found += [inner, *_below(inner)]
    return found + [base for base in _public_bases(model) if base not in found]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def _public_bases(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The nearest settings that a settings class inherits and that have a page of their own."""
    found: list[type[BaseModel]] = []
    for base in model.__bases__:
        if issubclass(base, BaseModel) and base is not BaseModel:
            inner = _public_bases(base)
            found += inner if base.__name__.startswith("_") else [base, *inner]
    return list(dict.fromkeys(found))


def _section(model: type[BaseModel]) -> str:
    bases = _public_bases(model)
    inherited = {name for base in bases for name in base.model_fields}
    written = set(vars(model).get("__annotations__", {}))  # a field that is written anew is shown
    own = [name for name in model.model_fields if name not in inherited or name in written]
    kind = model.model_fields["kind"].default if "kind" in model.model_fields else None
    title = f"### `kind: {kind}`" if kind else f"## {model.__name__}"
    parts = [title, _prose(model)]
    rows = [_row(model, name) for name in own if name != "kind"]
    if rows:
        parts.append("\n".join([*_head("setting", "type", "default", "meaning"), *rows]))
    if bases:
        links = [f"[{b.__name__}](#{b.__name__.lower()})" for b in bases]
        parts.append(f"And the settings of {' and '.join(links)}.")
    elif not rows:
        parts.append("No settings.")
    return "\n\n".join(parts)


def _prose(model: type[BaseModel]) -> str:
    """A docstring as Markdown: indented formulas become code, `Source:` a line of its own."""
    blocks = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    formula = [block.startswith("    ") for block in blocks]
    words = [
        "```text\n" + textwrap.dedent(block) + "\n```" if is_formula else _list_or_text(block)
        for block, is_formula in zip(blocks, formula, strict=True)
    ]
    return "\n\n".join(words)


def _list_or_text(block: str) -> str:
    entries = re.split(r"\n(?=- )", block)
    return "\n".join(map(_folded, entries))


def _folded(text: str) -> str:
    return " ".join(text.split())


def _row(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    words = re.sub(r"\bNone\b", "null", _meaning(model, name, field))
    return _line(f"`{name}`", _type(model, name), _default(field), words)


def _meaning(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    if field.description:
        return _folded(field.description)
    for base in model.__mro__:
        if name in vars(base).get("__annotations__", {}):
            return _folded(_written(base).get(name, ""))
    return ""


def _written(model: type) -> dict[str, str]:
    """What is written about each field of a class: the string below it, or its comment."""
    source = textwrap.dedent(inspect.getsource(model))
    lines = source.splitlines()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    words: dict[str, str] = {}
    for node, after in zip(body.body, [*body.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            words[node.target.id] = str(after.value.value)
            continue
        for line in lines[node.lineno - 1 : node.end_lineno]:
            comment = re.search(r"(?<=\s)#\s(.*)$", line)
            if comment:
                words[node.target.id] = _sentence(comment[1])
    return words


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:].replace("None:", "null:")
    return text if text.endswith(".") else f"{text}."


def _type(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    parts = _kinds_of(field.annotation) or _words_of(field.annotation, _bounds(field.metadata))
    return " or ".join(dict.fromkeys(parts))


def _kinds_of(annotation: Any) -> list[str]:
    """Words for a type that holds settings; empty for others."""
    models = _models(annotation)
    if not models:
        return []
    if "kind" in models[0].model_fields:
        kinds = ", ".join(f"`{m.model_fields['kind'].default}`" for m in models)
        many = typing.get_origin(annotation) is tuple
        return [f"{'list of mappings' if many else 'mapping'} with `kind`: {kinds}"]
    link = f"[{models[0].__name__}](#{models[0].__name__.lower()})"
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        return [f"list of names and {link}"]
    if any(typing.get_origin(part) is tuple for part in args):
        return [f"list of names and {link}", "null"]
    others = [("a name", str), ("null", types.NoneType)]
    return [link, *(word for word, other in others if other in args)]


def _words_of(annotation: Any, bounds: str = "") -> list[str]:
    """Words for a plain type, one for each alternative."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _words_of(args[0], _bounds(args[1:]))
    if origin is typing.Literal:
        return [", ".join(f"`{value}`" for value in args)]
    if origin in (typing.Union, types.UnionType):
        return [word for part in args for word in _words_of(part, bounds)]
    if origin is tuple:
        return [f"list of {_words_of(args[0])[0]}s"]
    if origin is dict:
        return [f"mapping of {_words_of(args[0])[0]} to {_words_of(args[1])[0]}"]
    word = _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return [word + bounds if annotation in (int, float) else word]


_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    types.NoneType: "null",
    JsonValue: "any value",
}


def _bounds(metadata: Any) -> str:
    """Limits of a number, such as " >= 1"."""
    signs = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
    entries = [e for entry in metadata for e in getattr(entry, "metadata", [entry])]
    found = [
        f"{sign} {getattr(entry, name)}"
        for entry in entries
        for name, sign in signs
        if getattr(entry, name, None) is not None
    ]
    return f" {', '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return f"`{getattr(value, 'kind', None) or _mapping(value)}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{entry}`" for entry in value)
    words = {"None": "null", "True": "true", "False": "false", "": '""'}
    return f"`{words.get(str(value), value)}`"


def _mapping(value: BaseModel) -> str:
    """Settings as YAML in braces."""
    return f"{{{', '.join(f'{name}: {entry}' for name, entry in value)}}}"


def _presets() -> str:
    """The arms that have names."""
    from steelyard.arms import ALWAYS, PRESETS

    rows = []
    for name, arm in PRESETS.items():
        always = " Always run." if name in ALWAYS else ""
        role = "Sees the truth: an oracle. " if arm.role == "oracle" else ""
        kinds = f"`{arm.reliability.kind}`", f"`{arm.selection.kind}`"
        rows.append(_line(f"`{name}`", *kinds, role + arm.description + always))
    head = _head("arm", "reliability", "selection", "what it teaches")
    return "## Arms that have names\n\n" + "\n".join([*head, *rows])


def _metrics() -> str:
    """What `metric` may be."""
    from steelyard.evaluation import LOWER_IS_BETTER, METRICS, SLOT_METRICS

    rows = []
    for name, function in {**METRICS, **SLOT_METRICS}.items():
        first = (inspect.getdoc(function) or "").split("\n\n")[0]
        lower = " Lower is better." if name in LOWER_IS_BETTER and "lower" not in first else ""
        rows.append(_line(f"`{name}`", _folded(first).replace(", (R,)", "") + lower))
    return "## Metrics\n\n" + "\n".join([*_head("metric", "meaning"), *rows])


def _head(*names: str) -> list[str]:
    return [_line(*names), _line(*("---" for _ in names))]


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


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
    rows = [_line(*cells) for cells in sorted(_sources())]
    head = _head("class or function", "source", "module", "test")
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
                yield f"`{name}`", _folded(source[1]), module, link


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
