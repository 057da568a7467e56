"""Slots in replies: every shape that models write, and none that is guessed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.prompts.slots import read_slots

FOUR = (("date", "next friday"), ("person", "bob"))


@pytest.mark.parametrize(
    "reply",
    [
        '[{"type": "date", "filler": "Next  Friday"}, {"type": "person", "filler": "bob"}]',
        '{"date": "next friday", "person": "bob"}',
        '{"date": ["next friday"], "person": ["bob"]}',
        '{"slots": [{"filler": "next friday", "type": "date"}, '
        '{"type": "PERSON", "filler": "Bob"}]}',
        'Sure:\n```json\n[{"type":"date","filler":"next friday"},'
        '{"type":"person","filler":"bob"}]\n```',
    ],
)
def test_the_same_slots_in_other_shapes(reply: str) -> None:
    assert read_slots(reply) == FOUR


@pytest.mark.parametrize("reply", ["[]", "{}", ' {"slots": []}'])
def test_no_slot_is_an_answer(reply: str) -> None:
    assert read_slots(reply) == ()


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "",
        "...",
        "none",
        '[{"type": "date"}]',
        '[{"type": "date", "filler": null}]',
        '{"date": true}',
        '["date", "friday"]',
        '[{"type": "date", "filler": "friday"}, {"type": "per',  # breaks off
        '{"slots": [{"type": "date", "filler": "friday"}',
        '{"date": "friday"} {"date": "monday"}',  # two answers
        '{"date": "friday", "date": "monday"}',
        '{"date": {"filler": "friday"}}',
        "[[[[",
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_none(reply: str | None) -> None:
    assert read_slots(reply) is None


def test_one_object_is_one_slot_and_numbers_are_texts() -> None:
    assert read_slots('{"type": "people", "filler": 4}') == (("people", "4"),)
    assert read_slots('[{"type": "radio_name", "filler": "a"}]') == (("radio name", "a"),)


def test_equal_slots_stand_as_often_as_they_were_said() -> None:
    assert read_slots('[{"type":"a","filler":"x"},{"type":"a","filler":"x"}]') == (("a", "x"),) * 2


WORD = st.text("abcdefg_ '", min_size=1, max_size=8).filter(
    lambda text: text.replace("_", " ").strip()
)


@given(st.lists(st.tuples(WORD, WORD), max_size=5))
def test_what_is_written_is_read_in_its_order(slots: list[tuple[str, str]]) -> None:
    reply = json.dumps([{"type": kind, "filler": filler} for kind, filler in slots])
    bare = tuple(tuple(" ".join(t.replace("_", " ").split()) for t in slot) for slot in slots)
    assert read_slots(reply) == bare
