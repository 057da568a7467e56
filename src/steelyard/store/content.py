"""The content of a stored result as files: JSON, and arrays without pickle."""

import dataclasses
import json
import zipfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from steelyard import types
from steelyard.errors import StoreError

NOUNS = {
    noun.__name__: noun
    for noun in (
        *(types.Votes, types.Reliability, types.Selection),
        *(types.Predictions, types.VoterSkill, types.SupervisorTargets),
        *(types.TokenTargets, types.WordProbabilities, types.Spans),
        types.OptionLogProbs,
    )
}
OLD_NOUNS = {
    "Apart": types.SupervisorTargets,
    "Written": types.TokenTargets,
    "Words": types.WordProbabilities,
}
"""Nouns by the names that version 0.1 stored them under."""
OLD_FIELDS = {"apart": "per_supervisor", "written": "token_targets"}
"""Fields of a Selection by the names that version 0.1 stored them under."""
Content = dict[str, Any]
"""Named parts of a result: nouns, arrays, or plain JSON values."""


def write_content(folder: Path, content: Content) -> None:
    """Write `content.json`, NAME.npy for each array and NAME.npz for each noun."""
    entries: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, np.ndarray):
            np.save(folder / f"{name}.npy", value, allow_pickle=False)
            entries[name] = {"type": "array"}
        elif type(value).__name__ in NOUNS:
            arrays: dict[str, np.ndarray] = {}
            entries[name] = _split_arrays(value, "", arrays)
            np.savez(folder / f"{name}.npz", allow_pickle=False, **arrays)
        else:
            entries[name] = {"type": "json", "value": value}
    (folder / "content.json").write_text(json.dumps(entries), encoding="utf-8")


def read_content(folder: Path, verified: Collection[str]) -> Content:
    """Read what `write_content` wrote; arrays are memory-mapped.

    Args:
        folder: the folder of the result.
        verified: names of the files whose checksums match; no other file is read.

    Raises:
        StoreError: a file is not verified, or does not hold what `write_content` writes.
    """

    def path(name: str) -> Path:
        if name not in verified:
            raise StoreError(f"{folder.name}: {name} is not in the manifest.")
        return folder / name

    try:
        entries = json.loads(path("content.json").read_text(encoding="utf-8"))
        return {name: _read_part(path, name, entry) for name, entry in entries.items()}
    except (
        *(OSError, EOFError, ValueError, zipfile.BadZipFile, RecursionError),
        *(AttributeError, IndexError, KeyError, TypeError),  # JSON of another shape
    ) as error:
        raise StoreError(f"{folder.name} cannot be read: {error!r}.") from error


def _read_part(path: Callable[[str], Path], name: str, entry: Any) -> Any:
    if entry["type"] == "json":
        return entry["value"]
    if entry["type"] == "array":
        return np.load(path(f"{name}.npy"), mmap_mode="r", allow_pickle=False)
    with np.load(path(f"{name}.npz"), allow_pickle=False) as arrays:
        return _join_arrays(entry, "", arrays)


def _split_arrays(noun: Any, prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The plain fields of a noun as JSON; its arrays go into `arrays` under dotted names."""
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(noun):
        value = getattr(noun, field.name)
        if isinstance(value, np.ndarray):
            arrays[prefix + field.name] = value
        elif type(value).__name__ in NOUNS:
            plain[field.name] = _split_arrays(value, f"{prefix}{field.name}.", arrays)
        else:
            plain[field.name] = value
    return {"type": type(noun).__name__, "fields": plain}


def _join_arrays(entry: dict[str, Any], prefix: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """The inverse of `_split_arrays`."""
    nouns = {**OLD_NOUNS, **NOUNS}
    noun = nouns[entry["type"]]
    fields: dict[str, Any] = {}
    for key, value in entry["fields"].items():
        is_noun = isinstance(value, dict) and value.get("type") in nouns
        fields[key] = _join_arrays(value, f"{prefix}{key}.", arrays) if is_noun else _tuples(value)
    for key in arrays:
        name = key.removeprefix(prefix)
        if key.startswith(prefix) and "." not in name:
            fields[name] = arrays[key]
    renamed = {types.Selection: OLD_FIELDS, types.Votes: {"words": "word_probs"}}.get(noun, {})
    return noun(**{renamed.get(name, name): value for name, value in fields.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
