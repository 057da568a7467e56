"""Old names of settings work for one version, with a note."""

import logging

import pytest

from steelyard.renamed import rename_settings, rename_value
from steelyard.selection import PerSupervisor


def test_an_old_name_is_replaced_and_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert rename_settings({"reader": 1, "b": 2}, {"reader": "answer_format"}) == {
            "answer_format": 1,
            "b": 2,
        }
    assert caplog.messages == [
        "The setting `reader` is now called `answer_format`; the old name goes soon."
    ]


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="`old` is the old name of `new`; give `new` alone"):
        rename_settings({"old": 1, "new": 2}, {"old": "new"})


def test_what_is_no_mapping_is_left_to_the_validation() -> None:
    assert rename_settings("text", {"old": "new"}) == "text"
    assert rename_value("other", {"old": "new"}) == "other"


def test_apart_is_per_supervisor(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert PerSupervisor(kind="apart") == PerSupervisor()
    assert "`apart` is now called `per_supervisor`" in caplog.text
