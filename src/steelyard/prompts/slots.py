"""Reading the slots of an utterance from a reply in JSON."""

from typing import Any, TypeAlias

from steelyard.prompts.jsons import _values
from steelyard.prompts.reply import Unreadable, cleaned, key

Slot: TypeAlias = tuple[str, str]
"""Type and filler, both as they are compared: case and white space aside."""


def read_slots(reply: str | None) -> tuple[Slot, ...] | None:
    """The slots of a reply in the order in which they stand; None where it cannot be read.

    Read are a list of objects with `type` and `filler`, one such object, an object of types and
    their filler or list of fillers, and any of these under the one key `slots`. An empty list or
    object says that there is no slot, which is an answer. A list that breaks off is none.

    >>> read_slots('[{"type": "date", "filler": "Next  Friday"}]')
    (('date', 'next friday'),)
    >>> read_slots('{"date": "today", "person": ["bob", "ann"]}')
    (('date', 'today'), ('person', 'bob'), ('person', 'ann'))
    >>> read_slots("[]"), read_slots('[{"type": "date", "filler"')
    ((), None)
    """
    try:
        text = cleaned(reply, False)
        values = _values(text)
        if len(values) != 1 or not _first_bracket_opens(text, values[0]):
            return None
        return tuple(_slots(values[0]))
    except Unreadable:
        return None


def _first_bracket_opens(text: str, value: Any) -> bool:
    """Whether the value is what the text's first bracket opens: else an outer one broke off."""
    bracket = next(c for c in text if c in "[{")
    return (bracket == "[") == isinstance(value, list)


def _slots(value: Any) -> list[Slot]:
    if isinstance(value, dict) and list(value) == ["slots"] and isinstance(value["slots"], list):
        value = value["slots"]
    if isinstance(value, list):
        return [_slot(entry) for entry in value]
    if {"type", "filler"} <= value.keys():
        return [_slot(value)]
    return [
        (key(name), _filler(filler))
        for name, fillers in value.items()
        for filler in (fillers if isinstance(fillers, list) else [fillers])
    ]


def _slot(entry: Any) -> Slot:
    if not isinstance(entry, dict) or not {"type", "filler"} <= entry.keys():
        raise Unreadable("not an answer")
    return key(str(entry["type"])), _filler(entry["filler"])


def _filler(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unreadable("not an answer")
    return key(str(value))
