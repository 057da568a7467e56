"""From labels in a file to answer numbers."""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard.data.row_fields import abridged
from steelyard.errors import InputError
from steelyard.io.files import BOM, check_file, decode, open_bytes
from steelyard.types import Question

INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True)
class LabelledRow:
    """A question with its label in the file."""

    location: str
    question: Question
    label: str | int
    from_csv: bool = False  # digits may be an integer, because every cell is a string
    group: str = ""  # rows of one name belong together
    slice: str = ""  # part of the data that the row is reported with

    @property
    def integer(self) -> str | int:
        """The label, as an integer if it is one in a CSV file."""
        if self.from_csv and isinstance(self.label, str) and INTEGER.fullmatch(self.label):
            return int(self.label)
        return self.label

    @property
    def where(self) -> str:
        return f"{self.location}, id {self.question.id!r}"


@dataclass(frozen=True)
class Classes:
    """Names of the classes, and what an integer label means."""

    names: tuple[str, ...]
    by_name: bool  # whether an integer is a class's name; else it is its number from 0

    def answer(self, row: LabelledRow) -> int:
        """The class number of a row's label; digits in a CSV that are no name are an integer.

        Raises:
            InputError: the label names no class.
        """
        if isinstance(row.label, str) and row.label in self.names:
            return self.names.index(row.label)
        label = row.integer
        if isinstance(label, int) and self.by_name and str(label) in self.names:
            return self.names.index(str(label))
        wish = f"one of the classes {abridged(list(self.names), 200)}"
        if isinstance(label, int) and not self.by_name:
            if 0 <= label < len(self.names):
                return label
            wish = f"a class number from 0 to {len(self.names) - 1}, or a class name"
        near = difflib.get_close_matches(str(label), self.names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else " Correct the label or `labels.json`."
        raise InputError(f"{row.where}: `label` must be {wish}; got {abridged(row.label)}.{hint}")


def all_classes(rows: Sequence[LabelledRow]) -> Classes:
    """Classes named by the labels themselves: sorted names, or integers in their order.

    Raises:
        InputError: strings and integers are mixed, names differ only in case or white space.
    """
    values: dict[str | int, LabelledRow] = {}
    for row in rows:
        values.setdefault(row.integer, row)
    strings = {label: row for label, row in values.items() if isinstance(label, str)}
    numbers = {label: row for label, row in values.items() if isinstance(label, int)}
    if strings and numbers:
        text, number = next(iter(strings.values())), next(iter(numbers.values()))
        raise InputError(
            f"`label` must be all names or all integers; {text.where} has {abridged(text.label)}, "
            f"{number.where} has {abridged(number.label)}. Make them all names or all integers."
        )
    folded: dict[str, LabelledRow] = {}
    for label, row in strings.items():
        other = folded.setdefault(" ".join(label.casefold().split()), row)
        if other is not row:
            raise InputError(
                f"{row.where}: `label` {abridged(row.label)} differs only in case or white space "
                f"from {abridged(other.label)} of {other.where}. Use one spelling."
            )
    names = tuple(sorted(strings)) or tuple(str(number) for number in sorted(numbers))
    return Classes(names, by_name=True)


def read_names(folder: Path) -> tuple[str, ...] | None:
    """Class names of the folder's `labels.json`, None if there is no such file."""
    path = folder / "labels.json"
    return read_names_file(path) if path.exists() else None


def read_names_file(path: Path) -> tuple[str, ...]:
    """Class names of a JSON file, in the order of their numbers.

    Raises:
        InputError: it is no list of at least two different names.
    """
    check_file(path)
    with open_bytes(path) as file:
        text = decode(file.read().removeprefix(BOM), path)
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}. Write a list of class names.") from error
    if not isinstance(names, list) or len(names) < 2:
        raise InputError(
            f"{path} must be a list of at least two class names; got {abridged(names)}."
        )
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise InputError(
                f"{path}: class {number} must be a name in quotes; got {abridged(name)}."
            )
        if name in names[:number]:
            raise InputError(f"{path}: class name {name!r} is there twice. Rename one.")
    return tuple(names)


def option_number(row: LabelledRow) -> int:
    """The option a multiple-choice label means: its number, or its text if no other has it.

    Raises:
        InputError: it means no option, or two.
    """
    choices, label, number = row.question.choices, row.label, row.integer
    matches = [i for i, choice in enumerate(choices) if choice == label]
    if isinstance(number, int) and 0 <= number < len(choices):
        matches = sorted({number, *matches})
    if len(matches) == 1:
        return matches[0]
    problem = f"which is both of options {matches}" if matches else "which is none of them"
    raise InputError(
        f"{row.where}: `label` must be an option number from 0 to {len(choices) - 1}, or the "
        f"text of one option; got {abridged(label)}, {problem}. Write the number."
    )
