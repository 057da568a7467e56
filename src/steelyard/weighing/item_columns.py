"""What is known of each item beside its votes: its slice and its text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union, cast

from steelyard.errors import InputError
from steelyard.io.files import check_file
from steelyard.io.row_source import FileRows, is_pandas
from steelyard.io.rows import READERS
from steelyard.types import Votes
from steelyard.votes_io.column_names import candidates, text_column
from steelyard.votes_io.values import empty, names_shown

if TYPE_CHECKING:
    import pandas

ItemValues: TypeAlias = Union[
    str, Path, Mapping[str, Any], Sequence[str], "pandas.Series[Any]", None
]
"""A text for each item, such as its slice, as `weigh` takes it."""


def is_file(values: ItemValues) -> bool:
    """Whether values are named by a file, and not by a column."""
    return isinstance(values, Path) or (
        isinstance(values, str) and values.lower().endswith(tuple(READERS))
    )


def named_columns(*values: ItemValues) -> list[str]:
    """The columns of the votes file among the values."""
    return [name for name in values if isinstance(name, str) and not is_file(name)]


def item_values(
    argument: str,
    values: ItemValues,
    votes: Votes,
    columns: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """The value of each item, (N,), "" where it is unknown; empty without values.

    Args:
        argument: its name, for messages.
        values: a column of the votes file, a file of `id` and a value, a mapping from id to
            value, or a value for each item.
        votes: about N items.
        columns: of the votes file, each (N,).

    Raises:
        InputError: there is no such column, or the values are not one for each item.
    """
    if values is None:
        return ()
    if isinstance(values, str | Path) and is_file(values):
        values = _of_file(Path(values))
    if isinstance(values, str):
        if values not in columns:
            raise InputError(
                f"`{argument}` names the column {values!r}, and votes in a table have none; give a "
                "mapping from id to value, or a value for each item."
            )
        return columns[values]
    if is_pandas(values, "Series"):
        values = cast("Any", values).to_dict()
    if isinstance(values, Mapping):
        named = {str(name): _text(value) for name, value in values.items()}
        return tuple(named.get(name, "") for name in votes.ids)
    given = tuple(map(_text, cast("Sequence[str]", values)))
    if len(given) != len(votes.ids):
        raise InputError(
            f"`{argument}` must have one entry per item, {len(votes.ids)}; got {len(given)}."
        )
    return given


def _of_file(path: Path) -> dict[str, str]:
    """Values by id: of the column with a text, or of the only other column."""
    check_file(path)
    source = FileRows(path)
    header = source.header()
    ids = candidates("id", header)[0]
    others = [name for name in header if name not in ids]
    name = text_column(others) or (others[0] if len(others) == 1 else None)
    if len(ids) != 1 or name is None:
        raise InputError(
            f"{path.name} must have a column `id` and a column `text`; found {names_shown(header)}."
        )
    columns = source.columns([ids[0], name])
    keys, texts = columns[ids[0]], columns[name]
    pairs = zip(keys.codes.tolist(), texts.codes.tolist(), strict=True)
    return {str(keys.values[key]): _text(texts.values[text]) for key, text in pairs}


def _text(value: object) -> str:
    return "" if empty(value) else str(value)
