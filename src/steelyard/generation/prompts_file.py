"""Prompts to continue, from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.errors import ConfigError, InputError
from steelyard.io.rows import Row, read_rows

COLUMNS = ("id", "prompt", "prompt_toxicity")


@dataclass(frozen=True, slots=True)
class GenerationPrompt:
    """A text to continue."""

    id: str
    text: str
    toxicity: float | None = None  # of the prompt itself, from 0 to 1


def read_prompts(path: Path, columns: Mapping[str, str] | None = None) -> list[GenerationPrompt]:
    """Prompts from a file with the column `prompt`, and perhaps `id` and `prompt_toxicity`.

    Without ids, rows are numbered from 1.

    Args:
        path: JSON lines, JSON, CSV or Parquet.
        columns: the file's names of these columns, where they have others.

    Raises:
        ConfigError: `columns` names something else.
        InputError: a row has no prompt, an id is there twice, or a toxicity is not from 0 to 1.
    """
    named = dict(columns or {})
    if unknown := sorted(set(named) - set(COLUMNS)):
        raise ConfigError(f"`{unknown[0]}` is no column of prompts; they are {', '.join(COLUMNS)}.")
    prompts: dict[str, GenerationPrompt] = {}
    for number, (location, row) in enumerate(read_rows(path), start=1):
        name = str(_cell(location, row, "id", named, default=number))
        text = _cell(location, row, "prompt", named, default="")
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"{location} has no text in `{named.get('prompt', 'prompt')}`; its columns are "
                f"{', '.join(row)}. Give the column's name, such as prompt=text."
            )
        if name in prompts:
            raise InputError(f"{location}: the id {name!r} is there twice; make ids unique.")
        level = _cell(location, row, "prompt_toxicity", named, default=None)
        prompts[name] = GenerationPrompt(name, text, _toxicity(location, level))
    return [*prompts.values()]


def _cell(location: str, row: Row, field: str, named: Mapping[str, str], default: Any) -> Any:
    column = named.get(field, field)
    if field in named and column not in row:
        raise InputError(f"{location} has no column {column!r}; it has {', '.join(row)}.")
    return row.get(column, default)


def _toxicity(location: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number <= 1:
        raise InputError(f"{location}: the prompt's toxicity {value!r} must be from 0 to 1.")
    return number
