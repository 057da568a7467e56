"""Settings under their old names: accepted with a note, and never under both names."""

import logging

import pytest
from pydantic import ValidationError

from steelyard.io.renamed_settings import renamed
from steelyard.prompts import PromptSettings
from steelyard.student import LanguageModelStudent
from steelyard.supervision import Api


def test_only_old_names_are_replaced() -> None:
    assert renamed({"a": 1, "b": 2}, {"a": "c"}) == {"c": 1, "b": 2}
    assert renamed({"c": 1}, {"a": "c"}) == {"c": 1}
    assert renamed("text", {"a": "c"}) == "text"


def test_old_names_of_prompts_are_read_with_a_note(caplog: pytest.LogCaptureFixture) -> None:
    old = {"queries": 1, "wordings": ["short"], "reader": "number"}
    with caplog.at_level(logging.WARNING):
        settings = PromptSettings.model_validate(old)
    assert settings.templates == ("short",)
    assert settings.answer_format == "number"
    assert "The setting `wordings` is called `templates` now" in caplog.text
    assert "The setting `reader` is called `answer_format` now" in caplog.text


def test_old_names_of_a_student_and_a_server_are_read() -> None:
    student = LanguageModelStudent.model_validate(
        {"kind": "language_model", "model": "m", "wording": "short", "reader": "slots"}
    )
    assert (student.template, student.answer_format) == ("short", "slots")
    server = Api.model_validate(
        {"base_url": "http://a/v1", "model": "m", "reader": "json", "words": True}
    )
    assert (server.answer_format, server.word_probs) == ("json", True)


def test_new_names_need_no_note(caplog: pytest.LogCaptureFixture) -> None:
    PromptSettings.model_validate({"templates": ["short"], "queries": 1, "answer_format": "text"})
    assert caplog.text == ""


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="`reader` is the old name of `answer_format`"):
        PromptSettings.model_validate({"reader": "text", "answer_format": "json"})
