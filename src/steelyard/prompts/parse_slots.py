"""Reading the slots of an utterance from a reply in JSON."""

import functools
import json
from typing import Any, TypeAlias

from steelyard.prompts.clean_reply import Unreadable, cleaned, key, refused
from steelyard.prompts.parse_json import _values

Slot: TypeAlias = tuple[str, str]
"""Type and filler, both as they are compared: case and white space aside."""


@functools.lru_cache(maxsize=2**15)  # a study grades the same answers by several metrics
def read_slots(reply: str | None) -> tuple[Slot, ...] | None:
    """The slots of a reply in the order in which they stand; None where it cannot be read.

    Read are a list of objects with `type` and `filler`, one such object, an object of types and
    their filler or list of fillers, and any of these under the one key `slots`. An empty list or
    object says that there is no slot, which is an answer. A list that breaks off is none; equal
    slots that are said again are one answer.

    >>> read_slots('[{"type": "date", "filler": "Next  Friday"}]')
    (('date', 'next friday'),)
    >>> read_slots('{"date": "today", "person": ["bob", "ann"]}')
    (('date', 'today'), ('person', 'bob'), ('person', 'ann'))
    >>> read_slots("[]"), read_slots('[{"type": "date", "filler"')
    ((), None)
    """
    try:
        return tuple(_read(cleaned(reply, False), False))
    except Unreadable:
        return None


def canonical_slots(text: str, truncated: bool) -> str:
    """The slots of a reply in one spelling: a JSON object of types and their filler.

    A type that stands more than once has the list of its fillers. Types are sorted, and so are the
    fillers of one type; an utterance without a slot is `{}`.

    >>> canonical_slots('{"person": "Bob", "date": ["today", "now"]}', False)
    '{"date": ["now", "today"], "person": "bob"}'

    Raises:
        Unreadable: no slots, two different answers, or slots that would be read as others in this
            spelling (of the types `type` and `filler` alone).
    """
    slots = sorted(_read(text, truncated))
    fillers: dict[str, list[str]] = {}
    for kind, filler in slots:
        fillers.setdefault(kind, []).append(filler)
    row = {kind: many if len(many) > 1 else many[0] for kind, many in fillers.items()}
    spelled = json.dumps(row, ensure_ascii=False)
    if read_slots(spelled) != tuple(slots):
        raise Unreadable("not an answer")
    return spelled


def _read(text: str, truncated: bool) -> list[Slot]:
    """The slots of a cleaned reply."""
    try:
        values = _values(text)
        if values and _first_bracket_opens(text, values[0]):
            readings = [_slots(value) for value in values]
            if any(sorted(slots) != sorted(readings[0]) for slots in readings):
                raise Unreadable("two answers")
            return readings[0]
    except Unreadable as why:
        raise Unreadable("cut off" if truncated else why.reason) from None
    raise Unreadable("cut off" if truncated else "refused" if refused(text) else "not an answer")


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
