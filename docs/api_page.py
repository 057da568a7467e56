"""api.md: every public name of the package, from signatures and docstrings."""

import ast
import importlib
import inspect
import re
import textwrap
from typing import Any

from pydantic import BaseModel

from page_parts import NOTE, folded, row_of, table_head
from settings_pages import settings_pages

_TOP = """`import steelyard as sy` loads a name when it is first used. Sizes: N examples, V voters,
M votes, K classes; in signatures `Floats`, `Ints` and `Bools` are numpy arrays of float64, int64
and bool. [Examples](../examples) are whole programs. A first program:

```python
import steelyard as sy

result = sy.weigh("votes.csv")  # one column per voter, or rows of id, voter, answer
print(result.labels[result.method])  # (N,) class numbers
```"""
_GROUPS = {
    "Commands": ("weighing", "labelling", "studies.study", "studies.config"),
    "Data": ("data",),
    "Supervisors": ("supervision",),
    "Estimators": ("reliability",),
    "Selections": ("selection",),
    "Students": ("student",),
    "Objectives": ("objectives",),
    "Evaluation": ("evaluation", "generation"),
    "Tables and records": ("types", "store", "studies"),
    "Errors": ("errors",),
}
"""Heading -> modules below `steelyard` whose names stand under it, the first that fits."""
_PAGES = {
    "supervision": "supervisors.md",
    "reliability": "estimators.md",
    "selection": "selections.md",
    "student": "students.md",
    "objectives": "objectives.md",
}
_SECTIONS = ("Args", "Returns", "Raises", "Yields", "Attributes", "Example", "Examples")


def api_page() -> str:
    """Every public name, grouped by stage."""
    package = importlib.import_module("steelyard")
    groups: dict[str, list[str]] = {heading: [] for heading in _GROUPS}
    for name in sorted(package.__all__, key=lambda name: (name[0].isupper(), name)):
        if name.startswith("__"):
            continue
        public = getattr(package, name)
        module = getattr(public, "__module__", "steelyard.types").removeprefix("steelyard.")
        if not isinstance(public, type) and not callable(public):
            module = "types"
        groups[_group(module)].append(_entry(name, public))
    parts = ["# Python", NOTE, _TOP]
    for heading, entries in groups.items():
        if entries:
            parts += [f"## {heading}", *entries]
    return "\n\n".join(parts) + "\n"


def _group(module: str) -> str:
    """The heading of a module: that with the longest fitting beginning."""
    fitting = [
        (len(start), heading)
        for heading, starts in _GROUPS.items()
        for start in starts
        if module == start or module.startswith(f"{start}.")
    ]
    return max(fitting)[1] if fitting else "Tables and records"


def _entry(name: str, public: Any) -> str:
    title = f"### `sy.{name}`"
    if not callable(public):
        return f"{title}\n\nA constant: `{public!r}`."
    if isinstance(public, type) and issubclass(public, BaseModel):
        return "\n\n".join([title, *_settings(public)])
    parts = [title, *_signature(name, public), docstring(inspect.getdoc(public) or "")]
    if isinstance(public, type) and not issubclass(public, BaseException):
        parts += _fields(public) + _methods(public)
    return "\n\n".join(part for part in parts if part)


def _settings(model: type[BaseModel]) -> list[str]:
    """A settings class: its first sentence and where its settings are; of a base its methods."""
    kind = model.model_fields["kind"].default if "kind" in model.model_fields else None
    heading = f"`kind: {kind}`" if isinstance(kind, str) else model.__name__
    anchor = f"kind-{kind}" if isinstance(kind, str) else model.__name__.lower()
    room = model.__module__.split(".")[1]
    pages = settings_pages()
    for page in dict.fromkeys([_PAGES.get(room, "study.md"), *pages]):
        if f"\n## {heading}\n" in pages[page]:
            first = folded((inspect.getdoc(model) or "").split("\n\n")[0])
            return [f"{first} Settings: [{heading}]({page}#{anchor})."]
    return [docstring(inspect.getdoc(model) or ""), *_methods(model)]


def _signature(name: str, public: Any) -> list[str]:
    """The signature as it is written in the source, a line for each parameter; none for errors."""
    if isinstance(public, type) and issubclass(public, BaseException):
        return []
    types = _annotations(public)
    rows, keyword_only = [], False
    for parameter in inspect.signature(public).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            rows.append("    *,")
            keyword_only = True
        annotation = types.get(parameter.name, "Any")
        rows.append(f"    {parameter.name}: {annotation}{_default(parameter)},")
    arrow = f" -> {types['return']}" if "return" in types else ""
    return ["\n".join(["```python", f"sy.{name}(", *rows, f"){arrow}", "```"])]


def _annotations(public: Any) -> dict[str, str]:
    """Types of the parameters as the source has them, and of what is returned."""
    node = ast.parse(textwrap.dedent(inspect.getsource(public))).body[0]
    if isinstance(node, ast.ClassDef):
        makers = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
        if not makers:
            named = [(n.target.id, n.annotation) for n in fields if isinstance(n.target, ast.Name)]
            return {name: ast.unparse(annotation) for name, annotation in named}
        node = makers[0]
        node.returns = None
    assert isinstance(node, ast.FunctionDef)
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    types = {arg.arg: ast.unparse(arg.annotation) for arg in arguments if arg.annotation}
    return types | ({"return": ast.unparse(node.returns)} if node.returns else {})


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return ""
    value = re.sub(r"PosixPath\('(.*?)'\)", r"Path('\1')", repr(parameter.default))
    return f" = {value}" if len(value) < 60 and "<" not in value else " = ..."


def docstring(text: str) -> str:
    """A docstring in Google's style as Markdown: sections become lists."""
    blocks = re.split(rf"^({'|'.join(_SECTIONS)}):\n", text, flags=re.MULTILINE)
    parts = [_prose(blocks[0])]
    for name, body in zip(blocks[1::2], blocks[2::2], strict=True):
        indented = re.match(r"(?:[ ]{4}[^\n]*\n?|\n)*", body)
        end = indented.end() if indented else 0
        section, rest = textwrap.dedent(body[:end]).strip(), body[end:].strip()
        parts.append(f"**{name}**")
        if name.startswith("Example"):
            parts.append(f"```python\n{section}\n```")
        else:
            entries = re.split(r"\n(?=\S)", section)
            parts.append("\n".join(_item(entry) for entry in entries))
        parts += [_prose(rest)] if rest else []
    return "\n\n".join(part for part in parts if part)


def _item(entry: str) -> str:
    match = re.match(r"(\w+)(?: \([^)]*\))?: ", entry)
    text = folded(entry[match.end() :] if match else entry)
    return f"* `{match[1]}`: {text}" if match else f"* {text}"


def _prose(text: str) -> str:
    """Paragraphs; indented formulas and doctests become code, lists stay lists."""
    parts = []
    for block in text.strip("\n").split("\n\n"):
        if block.startswith(("    ", ">>>")):
            kind = "pycon" if block.lstrip().startswith(">>>") else "text"
            parts.append(f"```{kind}\n{textwrap.dedent(block)}\n```")
        elif block.strip():
            parts.append("\n".join(folded(item) for item in re.split(r"\n(?=[-*] )", block)))
    return "\n\n".join(parts)


def _fields(public: type) -> list[str]:
    """The fields of a dataclass with their comments, which give shapes."""
    comments = _comments(public)
    fields = getattr(public, "__dataclass_fields__", {})
    rows = [row_of(f"`{name}`", comments.get(name, "")) for name in fields if name[0] != "_"]
    return ["\n".join([*table_head("field", "shape and meaning"), *rows])] if rows else []


def _comments(public: type) -> dict[str, str]:
    """The comment on the line of each field, or the string below it."""
    comments: dict[str, str] = {}
    last = ""
    for line in inspect.getsource(public).splitlines():
        field = re.match(r"    (\w+): [^#]*(?:#\s*(.*))?$", line)
        below = re.match(r'    """(.*?)(?:""")?$', line)
        if field:
            last = field[1]
            comments[last] = (field[2] or "").strip()
        elif below and last and not comments[last]:
            comments[last] = below[1]
        elif "#" in line and last and not comments[last] and line.startswith("        "):
            comments[last] = line.partition("#")[2].strip()
    return comments


def _methods(public: type) -> list[str]:
    """Public methods and properties with the first sentence of each."""
    rows = []
    for name, member in vars(public).items():
        text = inspect.getdoc(member) if not name.startswith("_") else None
        function = getattr(member, "func", getattr(member, "fget", member))
        if text and (inspect.isfunction(function) or isinstance(member, classmethod)):
            shown = f"`{name}()`" if inspect.isfunction(member) else f"`{name}`"
            rows.append(row_of(shown, folded(text.split("\n\n")[0])))
    return ["\n".join([*table_head("method or property", "what it is"), *rows])] if rows else []
