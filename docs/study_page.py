"""docs/study.md: every setting of a study file, from the settings classes."""

import ast
import inspect
import re
import textwrap
import types
import typing
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from page_parts import NOTE, folded, row_of, table_head


def study_page() -> str:
    """Every setting of a study file."""
    from steelyard.studies.arms import Arm
    from steelyard.studies.config import Study

    shown = list(dict.fromkeys([Study, *_below(Study), Arm, *_below(Arm)]))
    stages: dict[str, list[type[BaseModel]]] = {stage: [] for stage in _TITLES}
    shared = []
    for model in shown:
        if "kind" in model.model_fields:
            stages[_stage(model)].append(model)
        elif model.model_fields and _stage(model) in (
            "models",
            "prompts",
            "reliability",
            "student",
        ):
            shared.append(model)
    parts = [_STUDY_TOP]
    parts += [
        _section(model) for model in (Study, *models_in(Study.model_fields["data"].annotation))
    ]
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
        for inner in models_in(field.annotation):
            found += [inner, *_below(inner)]
    return found + [base for base in _public_bases(model) if base not in found]


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def _public_bases(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The nearest settings that a settings class inherits and that have a page of their own."""
    found: list[type[BaseModel]] = []
    for base in model.__bases__:
        if issubclass(base, BaseModel) and base.model_fields:
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
        parts.append("\n".join([*table_head("setting", "type", "default", "meaning"), *rows]))
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
    return "\n".join(map(folded, entries))


def _row(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    words = re.sub(r"\bNone\b", "null", _meaning(model, name, field))
    return row_of(f"`{name}`", _type(model, name), _default(field), words)


def _meaning(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    if field.description:
        return folded(field.description)
    for base in model.__mro__:
        if name in vars(base).get("__annotations__", {}):
            return folded(_written(base).get(name, ""))
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
    models = models_in(annotation)
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
    from steelyard.studies.arms import ALWAYS, PRESETS

    rows = []
    for name, arm in PRESETS.items():
        always = " Always run." if name in ALWAYS else ""
        role = "Sees the truth: an oracle. " if arm.role == "oracle" else ""
        kinds = f"`{arm.reliability.kind}`", f"`{arm.selection.kind}`"
        rows.append(row_of(f"`{name}`", *kinds, role + arm.description + always))
    head = table_head("arm", "reliability", "selection", "what it teaches")
    return "## Arms that have names\n\n" + "\n".join([*head, *rows])


def _metrics() -> str:
    """What `metric` may be."""
    from steelyard.evaluation import LOWER_IS_BETTER, METRICS, SLOT_METRICS

    rows = []
    for name, function in {**METRICS, **SLOT_METRICS}.items():
        first = (inspect.getdoc(function) or "").split("\n\n")[0]
        lower = " Lower is better." if name in LOWER_IS_BETTER and "lower" not in first else ""
        rows.append(row_of(f"`{name}`", folded(first).replace(", (R,)", "") + lower))
    return "## Metrics\n\n" + "\n".join([*table_head("metric", "meaning"), *rows])
