"""A failed validation of settings as one sentence, with the nearest existing setting."""

import difflib
import functools
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

WISHES = {
    "tuple_type": "must be a list",
    "too_short": "must have at least one entry",
    "model_type": "must be `key: value` settings",
    "model_attributes_type": "must be `key: value` settings",
    "string_pattern_mismatch": "must be up to 64 letters, digits, `_`, `.` and `-`, and start with "
    "a letter or digit",
}
"""What pydantic asks for, in the words of a study file."""


def sentence(error: ValidationError, root: type[BaseModel]) -> str:
    """One problem of a failed validation as a sentence: an unknown setting, or the first problem.

    Args:
        error: raised by `root.model_validate`.
        root: the model that was validated.
    """
    problem = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    place, kind = _place(problem, root), problem["type"]
    if kind == "extra_forbidden":
        names = list(_settings_of(_models_at(problem["loc"][:-1], root)))
        near = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else f" Known are {', '.join(names)}."
        return f"`{place}` is not a setting.{hint}"
    if kind == "missing":
        return f"`{place}` is missing; it must be given."
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        given = problem.get("ctx", {}).get("tag", "")
        kinds = [str(_kind(model)) for model in _models_at(problem["loc"], root)]
        near = difflib.get_close_matches(given, kinds, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        if given:
            hint += " If it is the kind of a plugin, install the package that provides it."
        problem_text = f"got {given!r}" if given else "it is missing"
        return f"`{place}.kind` must be one of {', '.join(kinds)}; {problem_text}.{hint}"
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"`{place}`: {message}" if place else message
    if kind == "too_long":
        return f"`{place}` must have at most {problem['ctx']['max_length']} entries."
    message = WISHES.get(kind) or message.replace("Input should be", "must be")
    return f"`{place}` {message}, got {shown(problem['input'])}."


def shown(value: object) -> str:
    """A value as text for a message, shortened to a line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _place(problem: Any, root: type[BaseModel]) -> str:
    """The setting that a problem is about, such as `student.epochs`."""
    parts = [str(part) for part in problem["loc"]]
    unknown = parts[-1:] if problem["type"] == "extra_forbidden" else []
    return ".".join(
        [p for p in parts[: len(parts) - len(unknown)] if p not in _tags(root)] + unknown
    )


@functools.cache
def _tags(root: type[BaseModel]) -> set[str]:
    """Parts of a pydantic location that are not names of settings or positions in lists."""
    return {str(_kind(model)) for model in _below(root)} | {
        "preset",
        "own",
        "itself",
        "another",
        "int",
        "tuple[int, ...]",
        "PromptTemplate",
    }


def _models_at(place: tuple[int | str, ...], root: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that may validate the settings at a location."""
    models: list[type[BaseModel]] = [root]
    for part in place:
        fields = _settings_of(models)
        if part in fields:
            models = _models(fields[str(part)].annotation)
        else:  # a kind leaves one model, the number of an entry all of them
            models = [model for model in models if _kind(model) == part] or models
    return models


def _settings_of(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    return {name: field for model in models for name, field in model.model_fields.items()}


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        for part in _models(field.annotation):
            yield part
            yield from _below(part)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _kind(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    return None if field is None else field.default
