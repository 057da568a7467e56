"""Names and sentences are plain English of the field: no pronouns as identifiers, no fragments."""

import ast
import collections
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from settings_section import meaning, models_in
from steelyard.studies.arms import Arm
from steelyard.studies.config import Study

SOURCE = Path(__file__).parents[1] / "src" / "steelyard"
FILES = {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}
NO_NAMES = {
    *("one", "ones", "found", "known", "own", "mine", "some", "said", "told", "heard", "more"),
    *("taught", "teach", "lesson", "hear", "doubt", "doubts", "deaf", "silent", "cast", "ballots"),
    *("stances", "suspects", "room", "ways", "apart", "both", "such", "left_out", "conduct"),
}
"""Pronouns and home-made words that say nothing of what a name holds."""
PLAIN = {
    "as it stands": "unchanged",
    "comes? along": "is added automatically",
    "in turn": "one after another",
    "pass(es|ed) over": "ignored",
    "(is|are|was|were) taught": "is trained on",
    "hears": "is trained on",
    "is said at once": "fails immediately",
    "(is|are|was|were) said": "is reported",
    "left out": "dropped",
    "goes on with": "resumes",
    "not clear of": "includes",
}
"""Phrases of a private dialect -> the field's words."""


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    """Names that a file gives: variables, arguments, fields, functions, classes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno


@pytest.mark.parametrize("file", FILES)
def test_no_pronoun_is_a_name(file: str) -> None:
    bad = [
        f"{name} (line {line})"
        for name, line in identifiers(FILES[file])
        if name.strip("_") in NO_NAMES
    ]
    assert bad == []


@pytest.mark.parametrize("file", FILES)
def test_docstrings_and_messages_use_the_fields_words(file: str) -> None:
    texts = [
        " ".join(node.value.split())
        for node in ast.walk(ast.parse(FILES[file].read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    bad = [
        f"{phrase!r} -> {plain!r}: {text[:80]}"
        for text in texts
        for phrase, plain in PLAIN.items()
        if re.search(rf"\b{phrase}\b", text)
    ]
    assert bad == []


def nested(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            yield from nested(inner)


def test_the_meaning_of_a_setting_is_a_sentence() -> None:
    """ "Random seed for ties.", and not "Of the draw among ties."."""
    texts = {
        f"{model.__name__}.{name}": meaning(model, name, field)
        for model in dict.fromkeys([*nested(Study), *nested(Arm)])
        for name, field in model.model_fields.items()
    }
    assert [f"{k}: {text}" for k, text in texts.items() if re.match(r"(Of|As)\b", text)] == []


def test_no_public_name_means_two_things() -> None:
    """A class or function has one home; the file of a command may repeat what it calls."""
    homes = collections.defaultdict(list)
    for file, path in FILES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                homes[node.name].append(file)
    twice = {
        name: files
        for name, files in homes.items()
        if len([file for file in files if file != f"cli/{name}.py"]) > 1
    }
    assert twice == {}
