"""One row's fields, checked; an error names the location, the id, the value and what to do."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from steelyard.data.groups import block
from steelyard.errors import InputError
from steelyard.io.rows import Row
from steelyard.types import PairQuestion, Question
from steelyard.types.task_kinds import KINDS, Kind

MAX_CHARACTERS = 1_000_000
NO_TEXT = re.compile("[\0\ud800-\udfff]")  # lone surrogates cannot be encoded


@dataclass(frozen=True)
class RowParser:
    """How the rows of one file are read."""

    kind: Kind
    stem: str  # begins generated ids, "{stem}-{row number}"
    columns: dict[str, str]  # our field name -> the file's column name
    max_characters: int = MAX_CHARACTERS
    from_csv: bool = False  # every cell is a string
    instruction: str = ""  # stands before every input
    group_size: int | None = None

    def column(self, field: str) -> str:
        return self.columns.get(field, field)

    def question(self, row: Row, location: str, number: int) -> Question:
        """The question of row `number`, from 1; that of a preference without its two answers.

        Raises:
            InputError: a field is missing, empty, too long or of another type.
        """
        name = self._id(row, location, number)
        where = f"{location}, id {name!r}"
        kind = KINDS[self.kind]
        context = self._context(row, where) if kind.has_options else ""
        context = "\n".join(part for part in (self.instruction, context) if part)
        text = self.check_text(self.cell(row, kind.question, where), kind.question, where)
        if kind.has_classes and "pair" in self.columns:
            second = self.check_text(self.cell(row, "pair", where), "pair", where)
            return PairQuestion(name, f"{text}\n{second}", (), context, len(text) + 1)
        return Question(name, text, self._choices(row, where) if kind.has_options else (), context)

    def label(self, row: Row, location: str, name: str) -> str | int:
        """The label in the file, unchanged; which class it is, is decided later.

        That of an open question is the text of the true answer; a number becomes its digits.
        """
        where = f"{location}, id {name!r}"
        if KINDS[self.kind].is_open:
            answer = self.cell(row, "answer", where)
            if isinstance(answer, int | float) and not isinstance(answer, bool):
                answer = repr(answer) if math.isfinite(answer) else answer
            return self.check_text(answer, "answer", where)
        label = self.cell(row, "label", where)
        wish = "a class name or a class number"
        if KINDS[self.kind].has_options:
            wish = "the number of the right option, from 0, or its text"
        if isinstance(label, str) and label.strip():
            return _check_characters(label, "label", where)
        if isinstance(label, int) and not isinstance(label, bool):
            return label
        advice = "Every row needs its true label."
        if (isinstance(label, float) and label.is_integer()) or isinstance(label, bool):
            advice = f"Write {int(label)}."
        raise InputError(f"{where}: `label` must be {wish}; got {abridged(label)}. {advice}")

    def tag(self, row: Row, field: str, where: str) -> str:
        """The row's `group` or `slice`; empty where no such column is set.

        Raises:
            InputError: the column is missing, or holds no name or number.
        """
        if field not in self.columns or (field == "slice" and self.column(field) not in row):
            return ""
        value = self.cell(row, field, where)
        if isinstance(value, bool | int | float) and value == value:
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            raise InputError(
                f"{where}: `{field}` must be a name or a number; got {abridged(value)}. Fill in "
                f"column {self.column(field)!r}, or remove `data.{field}`."
            )
        name = _check_characters(value.strip(), field, where)
        return block(name, self.group_size) if field == "group" else name

    def _id(self, row: Row, location: str, number: int) -> str:
        column = self.column("id")
        if column not in row and "id" not in self.columns:
            return f"{self.stem}-{number}"
        value = self.cell(row, "id", location)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value.strip():
            return _check_characters(value, "id", location)
        raise InputError(
            f"{location}: `id` must be a string or an integer; got {abridged(value)}. "
            "Give every row an id, or none."
        )

    def cell(self, row: Row, field: str, where: str) -> Any:
        column = self.column(field)
        if column not in row:
            raise InputError(
                f"{where}: column {column!r} is missing; found {abridged(list(row), 200)}. "
                f"If another column is meant, set `data.columns: {{{field}: its name}}`."
            )
        return row[column]

    def _context(self, row: Row, where: str) -> str:
        if self.column("context") not in row and "context" not in self.columns:
            return ""
        value = self.cell(row, "context", where)
        return "" if value in (None, "") else self.check_text(value, "context", where)

    def check_text(self, value: object, name: str, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise InputError(
                f"{where}: `{name}` must be a text that is not empty; got {abridged(value)}. "
                "Correct or remove the row."
            )
        if len(value) >= self.max_characters:
            raise InputError(
                f"{where}: `{name}` has {len(value):,} characters, the limit is "
                f"{self.max_characters:,}. Shorten it, or raise `data.max_characters`."
            )
        return _check_characters(value, name, where)

    def _choices(self, row: Row, where: str) -> tuple[str, ...]:
        value = self.cell(row, "choices", where)
        if self.from_csv:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{where}: `choices` must be a JSON list of texts in its cell, "
                    f'as ["one", "two"]; got {abridged(value)} ({error}).'
                ) from error
        if not isinstance(value, list | tuple) or len(value) < 2:
            raise InputError(
                f"{where}: `choices` must be a list of at least two texts; got {abridged(value)}."
            )
        checked = (self.check_text(c, f"choices[{i}]", where) for i, c in enumerate(value))
        return tuple(checked)


def abridged(value: object, limit: int = 60) -> str:
    """A value for a message, at most `limit` characters.

    >>> abridged("a" * 100, 8)
    "'aaaa..."
    """
    text = ascii(value[:limit]) if isinstance(value, str) else repr(value)
    text = ascii(text)[1:-1] if not text.isprintable() else text
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _check_characters(value: str, name: str, where: str) -> str:
    bad = NO_TEXT.search(value)
    if bad:
        raise InputError(
            f"{where}: `{name}` has the character {bad.group()!a} at position {bad.start()}, which "
            "is no text. Remove it."
        )
    return value
