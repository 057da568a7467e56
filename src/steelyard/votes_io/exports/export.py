"""What an export is: how it is recognised, and the votes in one of its rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from steelyard.io.rows import Row
from steelyard.votes_io.column_names import text_column

Vote: TypeAlias = dict[str, Any]
"""`id`, `answer`, and where there are any `voter`, `query`, `reason` and `question`."""


@dataclass(frozen=True)
class Export:
    """A shape of rows that a program writes."""

    name: str
    source: str  # where the shape is documented
    matches: Callable[[Row], bool]  # of the first row
    votes: Callable[[Row], Iterator[Vote]]  # several `question`s: the user names one of them
    note: str = ""  # a sentence about how it is read


def single(value: Any) -> Any:
    """The element of a list with one element, None for an empty one, else the value.

    >>> single(["spam"]), single([]), single("ham")
    ('spam', None, 'ham')
    """
    if isinstance(value, list) and len(value) < 2:
        return value[0] if value else None
    return value


def has(row: Row, *keys: str) -> bool:
    """Whether a row has all keys."""
    return all(key in row for key in keys)


def is_list_of(value: Any, kinds: type | tuple[type, ...]) -> bool:
    """Whether a value is a list with elements of some kinds only."""
    return isinstance(value, list) and all(isinstance(element, kinds) for element in value)


def dicts(value: Any) -> Sequence[Row]:
    """The mappings of a list; none for anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def item_text(row: Row) -> str | None:
    """The text of the item in a row, or in its `data` (Label Studio) or `fields` (Argilla).

    >>> item_text({"id": 1, "data": {"text": "Good."}}), item_text({"id": 1})
    ('Good.', None)
    """
    for values in (row, row.get("data"), row.get("fields")):
        name = text_column(list(values)) if isinstance(values, dict) else None
        text = values[name] if name is not None and isinstance(values, dict) else None
        if isinstance(text, str):
            return text
    return None


def part(row: Any, path: str) -> Any:
    """The value at a dotted path, such as `response.body.choices.0.text`; None if there is none.

    >>> part({"a": [{"b": 1}]}, "a.0.b"), part({"a.b": 2}, "a.b"), part({}, "a")
    (1, 2, None)
    """
    if isinstance(row, dict) and path in row:
        return row[path]
    key, _, others = path.partition(".")
    if isinstance(row, list) and key.isdecimal():
        inner = row[int(key)] if int(key) < len(row) else None
    else:
        inner = row.get(key) if isinstance(row, dict) else None
    return part(inner, others) if others else inner
