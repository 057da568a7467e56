"""Slots in replies: every shape that models write, and none that is guessed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.errors import InputError
from steelyard.prompts import PromptedQuestion, canonical, read, spelling
from steelyard.prompts.parse_slots import read_slots

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
    one = canonical(reply, "slots")
    assert one is not None
    assert read_slots(one) == tuple(sorted(bare))
    assert canonical(one, "slots") == one
    mixed = json.dumps([{"filler": f, "type": k} for k, f in reversed(slots)])
    assert canonical(mixed, "slots") == one


@pytest.mark.parametrize(
    ("reply", "one"),
    [
        ('[{"type": "to", "filler": "Rome"}]', '{"to": "rome"}'),
        ('{"to": ["Rome", "Bonn"], "on": 4}', '{"on": "4", "to": ["bonn", "rome"]}'),
        ('{"to": "X", "from_city": "Köln"}', '{"from city": "köln", "to": "x"}'),
        ('{"to": ["x", "x"]}', '{"to": ["x", "x"]}'),  # said twice, counted twice
        ('{"to": []}', "{}"),
        ("[]", "{}"),
        ('{"to": "x"} {"to": "x"} {"to": "x', '{"to": "x"}'),  # says it again
        ('{"to": "x"} {"to": "y"}', None),
        ('[{"type": "type", "filler": "a"}, {"type": "filler", "filler": "b"}]', None),
        ('[{"type": "slots", "filler": "a"}, {"type": "slots", "filler": "b"}]', None),
        ('{"to": "\\u003c/s>"}', None),  # cannot be written without ending the turn
    ],
)
def test_slots_have_one_spelling(reply: str, one: str | None) -> None:
    assert canonical(reply, "slots") == one


@pytest.mark.parametrize(
    ("reply", "finish", "text", "reason"),
    [
        ('{"to": "x"}', "length", '{"to": "x"}', ""),  # whole before it was cut
        ('{"to": "x', "length", "", "cut off"),
        ('[{"type": "to"', "length", "", "cut off"),
        ('[{"type": "to"', "stop", "", "not an answer"),
        ('{"to": "x"} {"to": "y"}', "stop", "", "two answers"),
        ("I'm sorry, I can't help.", "stop", "", "refused"),
        ("", "stop", "", "empty"),
    ],
)
def test_why_slots_cannot_be_read(reply: str, finish: str, text: str, reason: str) -> None:
    found = read(reply, PromptedQuestion("i", "q", "p"), "slots", finish)
    assert (found.text, found.reason) == (text, reason)


def test_true_slots_are_taught_in_the_one_spelling_and_others_as_they_stand() -> None:
    assert spelling('[{"type": "to", "filler": "Rome"}]', "slots") == '{"to": "rome"}'
    for reader in ("json", "number", "text", None):
        assert spelling('[{"b": 1}] ', reader) == '[{"b": 1}] '  # type: ignore[arg-type]
    with pytest.raises(InputError, match="true answer 'none' cannot be read as slots"):
        spelling("none", "slots")
