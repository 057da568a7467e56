"""One settings class as a section of a reference page: prose, table of settings, links."""

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

from page_parts import folded, row_of, table_head


class Section:
    """Writes sections; knows the page on which each settings class stands."""

    def __init__(self, homes: dict[type[BaseModel], str]) -> None:
        self.homes = homes

    def of(self, model: type[BaseModel]) -> str:
        """Heading, prose and the settings that the class itself defines, with links to the rest."""
        bases = public_bases(model)
        inherited = {name for base in bases for name in base.model_fields}
        redefined = set(vars(model).get("__annotations__", {}))
        fields = [n for n in model.model_fields if n not in inherited or n in redefined]
        kind = model.model_fields["kind"].default if "kind" in model.model_fields else None
        title = f"## `kind: {kind}`" if kind else f"## {model.__name__}"
        parts = [title, *filter(None, [_prose(model)])]
        rows = [self._row(model, name) for name in fields if name != "kind"]
        if rows:
            parts.append("\n".join([*table_head("setting", "type", "default", "meaning"), *rows]))
        if bases:
            links = [self._link(model, base) for base in bases]
            parts.append(f"And the settings of {' and '.join(links)}.")
        elif not rows:
            parts.append("No settings.")
        return "\n\n".join(parts)

    def _link(self, model: type[BaseModel], other: type[BaseModel]) -> str:
        """A link from the section of one class to that of another."""
        page = self.homes[other]
        target = "" if page == self.homes[model] else page
        return f"[{other.__name__}]({target}#{other.__name__.lower()})"

    def _row(self, model: type[BaseModel], name: str) -> str:
        field = model.model_fields[name]
        text = re.sub(r"\bNone\b", "null", meaning(model, name, field))
        parts = self._settings(model, field.annotation)
        parts = parts or _plain_type(field.annotation, _bounds(field.metadata))
        return row_of(f"`{name}`", " or ".join(dict.fromkeys(parts)), _default(field), text)

    def _settings(self, model: type[BaseModel], annotation: Any) -> list[str]:
        """The type of a field that holds settings, in words; empty for other fields."""
        models = models_in(annotation)
        if not models:
            return []
        if "kind" in models[0].model_fields:
            kinds = ", ".join(self._kind_link(model, inner) for inner in models)
            many = typing.get_origin(annotation) is tuple
            return [f"{'list of mappings' if many else 'mapping'} with `kind`: {kinds}"]
        link = self._link(model, models[0])
        args = typing.get_args(annotation)
        if typing.get_origin(annotation) is tuple:
            return [f"list of names and {link}"]
        if any(typing.get_origin(part) is tuple for part in args):
            return [f"list of names and {link}", "null"]
        others = [("a name", str), ("null", types.NoneType)]
        return [link, *(text for text, other in others if other in args)]

    def _kind_link(self, model: type[BaseModel], other: type[BaseModel]) -> str:
        kind = other.model_fields["kind"].default
        page = self.homes.get(other)
        if page is None:
            return f"`{kind}`"
        return f"[`{kind}`]({'' if page == self.homes[model] else page}#kind-{kind})"


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Settings classes that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def public_bases(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The nearest bases that have a section themselves: settings that several kinds share.

    A base that is a kind or adds no settings has none: its settings are shown with the class.
    """
    bases: list[type[BaseModel]] = []
    for base in model.__bases__:
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        inner = public_bases(base)
        added = base.model_fields.keys() - {name for part in inner for name in part.model_fields}
        alone = base.__name__.startswith("_") or "kind" in base.model_fields
        bases += inner if alone or not added else [base, *inner]
    return list(dict.fromkeys(bases))


def sentence(model: type[BaseModel]) -> str:
    """The first paragraph of a class's docstring on one line."""
    return folded(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0])


def _prose(model: type[BaseModel]) -> str:
    """A docstring as Markdown: indented formulas become code, `Source:` a line of its own."""
    blocks = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    formula = [block.startswith("    ") for block in blocks]
    texts = [
        "```text\n" + textwrap.dedent(block) + "\n```" if is_formula else _list_or_text(block)
        for block, is_formula in zip(blocks, formula, strict=True)
    ]
    return "\n\n".join(texts)


def _list_or_text(block: str) -> str:
    entries = re.split(r"\n(?=- )", block)
    return "\n".join(map(folded, entries))


def meaning(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    if field.description:
        return folded(field.description)
    for base in model.__mro__:
        if name in vars(base).get("__annotations__", {}):
            return folded(_field_comments(base).get(name, ""))
    return ""


def _field_comments(model: type) -> dict[str, str]:
    """What is written about each field of a class: the string below it, or its comment."""
    source = textwrap.dedent(inspect.getsource(model))
    lines = source.splitlines()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    comments: dict[str, str] = {}
    for node, after in zip(body.body, [*body.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            comments[node.target.id] = str(after.value.value)
            continue
        for line in lines[node.lineno - 1 : node.end_lineno]:
            comment = re.search(r"(?<=\s)#\s(.*)$", line)
            if comment:
                comments[node.target.id] = _sentence(comment[1])
    return comments


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:].replace("None:", "null:")
    return text if text.endswith(".") else f"{text}."


def _plain_type(annotation: Any, bounds: str = "") -> list[str]:
    """Words for a plain type, one for each alternative."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _plain_type(args[0], _bounds(args[1:]))
    if origin is typing.Literal:
        return [", ".join(f"`{value}`" for value in args)]
    if origin in (typing.Union, types.UnionType):
        return [word for part in args for word in _plain_type(part, bounds)]
    if origin is tuple:
        return [f"list of {_plain_type(args[0])[0]}s"]
    if origin is dict:
        return [f"mapping of {_plain_type(args[0])[0]} to {_plain_type(args[1])[0]}"]
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
    limits = [
        f"{sign} {getattr(entry, name)}"
        for entry in entries
        for name, sign in signs
        if getattr(entry, name, None) is not None
    ]
    return f" {', '.join(limits)}" if limits else ""


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
