"""The settings of the preference stage, and the old name of one of them."""

import logging

import pytest
from pydantic import ValidationError

from steelyard.student.preference_stage import PreferenceStage


def test_the_old_name_of_the_largest_flip_probability_is_read_with_a_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        stage = PreferenceStage.model_validate({"max_doubt": 0.3})
    assert stage == PreferenceStage(max_flip_probability=0.3)
    assert "`max_doubt` is called `max_flip_probability` now" in caplog.text


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="is the old name of"):
        PreferenceStage.model_validate({"max_doubt": 0.3, "max_flip_probability": 0.4})
