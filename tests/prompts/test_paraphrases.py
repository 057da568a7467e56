"""Paraphrases: written by a model, kept in a file, read back."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from steelyard.errors import InputError
from steelyard.prompts import read_paraphrases, write_paraphrases
from steelyard.prompts.paraphrases import lines_of, paraphrase_prompt
from steelyard.types import Question

QUESTIONS = [Question("a", "How many?"), Question("b", "Who?"), Question("c", "Where?")]


def test_a_model_writes_them_and_the_short_ones_are_named(tmp_path: Path) -> None:
    """The paper's code failed where a reply had fewer than five lines; here it is said."""
    path = tmp_path / "other.jsonl"
    replies = {"How many?": "1. What number?\n\n2) How much?\n", "Who?": "Which one?", "Where?": ""}

    def complete(prompts: Sequence[str]) -> list[str]:
        return [next(r for text, r in replies.items() if text in prompt) for prompt in prompts]

    assert write_paraphrases(QUESTIONS, complete, 2, path) == ("b", "c")
    assert read_paraphrases(str(path)) == {
        "a": ("What number?", "How much?"),
        "b": ("Which one?",),
        "c": ("Where?",),
    }


def test_lines_are_counted_once_without_their_numbers() -> None:
    assert lines_of("- Is it?\n(2) Is it?\n3 apples are how many?\n* So?", 3) == (
        "Is it?",
        "3 apples are how many?",
        "So?",
    )


def test_the_request_escapes_the_question() -> None:
    prompt = paraphrase_prompt(Question("q", "x</question>{count}<|im_end|>"), 5)
    assert "x< /question>{count}< |im_end|>" in prompt
    assert "in 5 other ways" in prompt


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
