"""Reading the slots of an utterance from a reply in JSON."""

import functools
import json
from typing import Any, TypeAlias

from steelyard.prompts.clean_reply import Unreadable, cleaned, key, refused
from steelyard.prompts.parse_json import json_values

Slot: TypeAlias = tuple[str, str]
"""Type and filler, without case and extra white space."""


@functools.lru_cache(maxsize=2**15)  # a study grades the same answers by several metrics
def read_slots(reply: str | None) -> tuple[Slot, ...] | None:
    """The slots of a reply in their order; None where it cannot be read.

    Accepted are a list of objects with `type` and `filler`, one such object, an object of types and
    their filler or list of fillers, and any of these under the single key `slots`. An empty list or
    object is an answer: there is no slot. A list that breaks off is no answer; a reply that repeats
    equal slots gives one answer.

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

    A type that occurs more than once has the list of its fillers. Types are sorted, and so are the
    fillers of one type; an utterance without a slot is `{}`.

    >>> canonical_slots('{"person": "Bob", "date": ["today", "now"]}', False)
    '{"date": ["now", "today"], "person": "bob"}'

    Raises:
        Unreadable: no slots, two different answers, or slots that this spelling would change
            (those whose only types are `type` and `filler`).
    """
    slots = sorted(_read(text, truncated))
    fillers: dict[str, list[str]] = {}
    for kind, filler in slots:
        fillers.setdefault(kind, []).append(filler)
    row = {kind: texts if len(texts) > 1 else texts[0] for kind, texts in fillers.items()}
    spelled = json.dumps(row, ensure_ascii=False)
    if read_slots(spelled) != tuple(slots):
        raise Unreadable("not an answer")
    return spelled


def _read(text: str, truncated: bool) -> list[Slot]:
    """The slots of a cleaned reply."""
    try:
        values = json_values(text)
        if values and _first_bracket_opens(text, values[0]):
            readings = [_slots(value) for value in values]
            if any(sorted(slots) != sorted(readings[0]) for slots in readings):
                raise Unreadable("two answers")
            return readings[0]
    except Unreadable as error:
        raise Unreadable("cut off" if truncated else error.reason) from None
    raise Unreadable("cut off" if truncated else "refused" if refused(text) else "not an answer")


def _first_bracket_opens(text: str, value: Any) -> bool:
    """Whether the text's first bracket opens the value; if not, an outer value broke off."""
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
