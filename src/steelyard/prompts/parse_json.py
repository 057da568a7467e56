"""Reading JSON answers, such as slots of an utterance."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from steelyard.prompts.clean_reply import Unreadable, key, refused
from steelyard.prompts.parse_number import MAX_DIGITS

MAX_DEPTH = 20


def canonical_json(text: str, truncated: bool) -> str:
    """The JSON object or list in a reply, in one spelling.

    Keys are sorted, lists of objects too (slots have no order); other lists keep their order.
    Texts are compared without case and white space. Text around the value is ignored.

    Raises:
        Unreadable: no JSON value, two different ones, or a key that occurs twice with different
            values.
    """
    spellings = {
        json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for value in json_values(text)
    }
    if len(spellings) > 1:
        raise Unreadable("two answers")
    if not spellings:
        reason = "refused" if refused(text) else "not an answer"
        raise Unreadable("cut off" if truncated else reason)
    return spellings.pop()


def json_values(text: str) -> list[Any]:
    """Every JSON object or list in a text."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_constant
    )
    values: list[Any] = []
    position = failures = 0
    while failures < 50:  # thousands of opening brackets of prose would cost minutes
        starts = [i for i in (text.find("{", position), text.find("[", position)) if i >= 0]
        if not starts:
            return values
        try:
            value, position = decoder.raw_decode(text, min(starts))
            values.append(value)
        except (json.JSONDecodeError, RecursionError):
            if not values and text[min(starts)] == "{":
                raise Unreadable("not an answer") from None
            position, failures = min(starts) + 1, failures + 1
    raise Unreadable("not an answer")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in pairs:
        if row.setdefault(name, value) != value:
            raise Unreadable("two answers")
    return row


def _number(text: str) -> Any:
    """A whole number or the text of a decimal; a number of too many digits is no answer."""
    try:
        value = Decimal(text) if len(text) <= MAX_DIGITS else None
    except InvalidOperation:  # an exponent such as 1e999999999999999999999
        value = None
    if value is None or abs(value.adjusted()) > MAX_DIGITS:
        raise Unreadable("not an answer")
    return int(value) if value == value.to_integral_value() else str(value.normalize())


def _constant(text: str) -> Any:
    raise Unreadable("not an answer")


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise Unreadable("not an answer")
    if isinstance(value, dict):
        return {key(name): _plain(entry, depth + 1) for name, entry in value.items()}
    if isinstance(value, list):
        entries = [_plain(entry, depth + 1) for entry in value]
        if entries and all(isinstance(entry, dict) for entry in entries):
            entries.sort(key=lambda entry: json.dumps(entry, sort_keys=True))
        return entries
    return key(value) if isinstance(value, str) else value
