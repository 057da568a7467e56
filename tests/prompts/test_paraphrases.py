"""Paraphrases: read from a file."""

from pathlib import Path

import pytest

from steelyard.errors import InputError
from steelyard.prompts import read_paraphrases


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"id": "a", "texts": []}\n', "line 1: a paraphrase has"),
        ('{"id": "a", "texts": ["x", 3]}\n', "line 1: a paraphrase has"),
        ('{"texts": ["x"]}\n', "line 1: a paraphrase has"),
        ('{"id": 1, "texts": ["x"]}\n{"id": "1", "texts": ["y"]}\n', "line 2: id '1' occurs twice"),
    ],
)
def test_files_that_are_none(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(rows)
    with pytest.raises(InputError, match=message):
        read_paraphrases(str(path))


def test_a_file_that_is_missing_or_changed(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    with pytest.raises(InputError, match="does not exist"):
        read_paraphrases(str(path))
    path.write_text('{"id": "a", "texts": ["x"]}\n')
    assert read_paraphrases(str(path)) == {"a": ("x",)}
    path.write_text('{"id": "a", "texts": ["other"]}\n')
    assert read_paraphrases(str(path)) == {"a": ("other",)}
