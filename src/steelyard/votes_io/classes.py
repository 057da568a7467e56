"""The answers that votes can have: classes, or the candidates of each example."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.types import ABSTAIN, Ints
from steelyard.types.build_votes import numbers_of_pairs
from steelyard.votes_io.column_checks import check_columns, check_minus_one
from steelyard.votes_io.read_options import READ_AS_IS, ReadOptions
from steelyard.votes_io.values import empty, quoted, whole_number
from steelyard.votes_io.vote_columns import RawVotes

OpenAnswerFormat = Literal["number", "text", "json", "slots", "set"]
"""The format that open answers are parsed as."""
Answers = Literal["closed", "number", "text", "json", "slots", "set"]
"""Whether answers name classes (closed), or the format of open answers."""
AnyInts: TypeAlias = npt.NDArray[np.integer]

NO_CLASS = -2
"""The number of a value that is not a class: an error."""

FRACTION = re.compile(
    r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|inf(inity)?)([eE][+-]?[0-9]+)?", re.IGNORECASE
)
EXCEL_ERROR = re.compile(r"#(n/a|value!|ref!|div/0!|name\?|null!|num!)")
ABSTENTIONS = {"-1", "nan", "NaN", "NAN", "<NA>", "NaT", "null", "NULL"}
"""Texts that abstain, unless they are class names."""
AMBIGUOUS = {
    *(
        "none",
        "na",
        "n/a",
        "unknown",
        "unsure",
        "not sure",
        "unclear",
        "skip",
        "skipped",
        "abstain",
    ),
    *("no answer", "no label", "?", "-", "--", ".", "error", "ignore", "ignored", "refused"),
    *("prefer not to say", "don't know", "dont know", "do not know", "can't tell", "cannot tell"),
    *("invalid", "missing", "undefined", "nil", "not applicable", "no response", "n.a.", "tbd"),
}
"""Texts that are read as a class, with a note; so are Excel's errors, such as #N/A."""
TRUE_OR_FALSE = {"true", "false"}


@dataclass(frozen=True)
class FileClasses:
    """K class names; a whole number is a name if any name is one, else a number from 0."""

    names: tuple[str, ...]
    options: ReadOptions = READ_AS_IS

    def numbers(self, values: Sequence[Any]) -> Ints:
        """The class of each value, ABSTAIN or NO_CLASS; 1, "1" and 1.0 are one value."""
        return np.array([self._number(value) for value in values], dtype=np.int64)

    def candidates(self, example: AnyInts, number: Ints) -> Ints:
        """Classes are the candidates of every example."""
        return number

    def _number(self, value: Any) -> int:
        if self.options.abstains(value):
            return ABSTAIN
        if self._are_bools:
            value = str(value).strip().casefold() if _is_bool(value) else value
        if isinstance(value, str) and value in self._row:
            return self._row[value]
        whole = whole_number(value)
        if whole in self._row:
            return self._row[whole]
        if abstains(value):
            return ABSTAIN
        if whole is not None and not self._by_name and 0 <= int(whole) < len(self.names):
            return int(whole)
        return NO_CLASS

    @cached_property
    def _row(self) -> dict[str | None, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def _are_bools(self) -> bool:
        return {*self.names} == TRUE_OR_FALSE

    @cached_property
    def _by_name(self) -> bool:
        return any(whole_number(name) for name in self.names)


@dataclass(frozen=True, eq=False)
class OpenAnswers:
    """Candidates of each example: the distinct canonical texts that its voters gave."""

    answer_format: OpenAnswerFormat
    names: tuple[str, ...]  # canonical texts of all examples, sorted
    pairs: Ints  # sorted distinct example * len(names) + name, of the given answers
    options: ReadOptions = READ_AS_IS

    def numbers(self, values: Sequence[Any]) -> Ints:
        """The name of each value; ABSTAIN without an answer, NO_CLASS where no voter gave it."""
        row = {name: i for i, name in enumerate(self.names)}
        texts = [
            None if self.options.abstains(value) else canonical_value(value, self.answer_format)
            for value in values
        ]
        numbers = [ABSTAIN if text is None else row.get(text, NO_CLASS) for text in texts]
        return np.array(numbers, dtype=np.int64)

    def candidates(self, example: AnyInts, number: Ints) -> Ints:
        """Candidate numbers from numbers of names; NO_CANDIDATE where no voter gave that answer."""
        if not self.names:
            return np.full(len(number), ABSTAIN, dtype=np.int64)
        return numbers_of_pairs(self.pairs, len(self.names), example, number)


def abstains(value: Any) -> bool:
    """Whether an answer that is no class name is an abstention: empty, NaN, null or -1."""
    named = isinstance(value, str) and value in ABSTENTIONS
    return named or empty(value) or whole_number(value) == "-1"


def _is_bool(value: Any) -> bool:
    """Whether a value is true or false, or their name in any case."""
    return isinstance(value, bool) or str(value).strip().casefold() in TRUE_OR_FALSE


def canonical_value(value: Any, answer_format: OpenAnswerFormat) -> str | None:
    """The canonical text of an open answer; None where there is none."""
    from steelyard.prompts.parse_answer import canonical

    if empty(value):
        return None
    if answer_format == "set":
        return canonical_set(value)
    if not isinstance(value, str):
        value = json.dumps(value, sort_keys=True, default=str)
    return canonical(value, answer_format)


def canonical_set(value: Any) -> str:
    """Several labels without an order: each once, sorted, with `|` between them.

    A list, a JSON list in a text, or labels with `|`, `;` or `,` between them; `(none)` of an
    empty list.

    >>> canonical_set("b|a"), canonical_set('["b", "a", "b"]'), canonical_set([])
    ('a|b', 'a|b', '(none)')
    """
    if isinstance(value, str) and value.strip()[:1] == "[":
        try:
            value = json.loads(value)
        except ValueError:
            value = value.strip().strip("[]")
    if isinstance(value, dict):
        value = [name for name, is_in in value.items() if is_in]
    parts = value if isinstance(value, list) else re.split(r"[|;,]", str(value))
    labels = {" ".join(str(part).split()) for part in parts} - {""}
    return "|".join(sorted(labels)) or "(none)"


def infer_classes(
    raw: RawVotes, options: ReadOptions = READ_AS_IS
) -> tuple[FileClasses, list[str]]:
    """The classes that occur in the votes, sorted, and notes about ambiguous answers.

    Raises:
        InputError: an answer is no class; names and numbers are mixed; two names differ only in
            case or white space; there are so many that they look like open answers; -1 looks like
            a class.
    """
    if not options.voters:
        check_columns(raw)
    spelled = _spellings(raw, options)
    if not spelled:
        raise InputError(
            f"{raw.source.name} has no answer that names a class: every vote abstains. Is it the "
            "right file? If nobody answered yet, give the class names as `classes`."
        )
    _check_mixed(raw, spelled)
    _check_folded(raw, spelled)
    _check_closed(raw, list(spelled))
    if not options.abstains("-1"):
        check_minus_one(raw, list(spelled))
    return FileClasses(tuple(sorted(spelled, key=_order)), options), _notes(raw, spelled)


def _spellings(raw: RawVotes, options: ReadOptions) -> dict[str, list[int]]:
    """Name of each class -> codes of the values that mean it."""
    given = [v for v in raw.answer.values if not abstains(v) and not options.abstains(v)]
    all_bools = all(map(_is_bool, given))
    spelled: dict[str, list[int]] = {}
    for code, value in enumerate(raw.answer.values):
        if abstains(value) or options.abstains(value):
            continue
        text = str(value).strip().casefold() if all_bools else whole_number(value)
        if text is None and (not isinstance(value, str) or FRACTION.fullmatch(value)):
            refuse(raw, raw.answer.first(code), _no_name(value))
        spelled.setdefault(text or value, []).append(code)
    return spelled


def _check_mixed(raw: RawVotes, spelled: dict[str, list[int]]) -> None:
    """Refuse names beside numbers."""
    ordered = reversed(spelled.items())  # so that the first of each kind is kept
    kinds = {whole_number(text) is None: codes for text, codes in ordered}
    if len(kinds) < 2:
        return
    name, number = (raw.answer.first(codes[0]) for codes in (kinds[True], kinds[False]))
    hint = ""
    if is_ambiguous(str(raw.value(name))):
        hint = f" If {quoted(raw.value(name))} is no answer, give it as `abstain`."
    raise InputError(
        f"{raw.source.name}: answers must be all names or all whole numbers; "
        f"{raw.location(name)} has {quoted(raw.value(name))}, {raw.location(number)} has "
        f"{quoted(raw.value(number))}. Write them one way, or list the classes in a file.{hint}"
    )


def refuse(raw: RawVotes, vote: int, problem: str) -> None:
    """Raise InputError about the answer of a vote; `problem` completes the sentence."""
    raise InputError(
        f"{raw.location(vote)}: answer {quoted(raw.value(vote))} of {raw.description(vote)} "
        f"{problem}"
    )


def _order(name: str) -> tuple[int, str]:
    return (int(name), "") if whole_number(name) else (0, name)


def _no_name(value: Any) -> str:
    if isinstance(value, bool):
        return f"is no class; write {int(value)}, or a class name."
    if isinstance(value, float | str):
        return (
            "is no class; classes are names or whole numbers, and a voter's probabilities go into "
            "`probabilities`. If it is a class name, give all names as `classes`."
        )
    return "is no class name or number. For open answers set `answers` to json."


def _check_folded(raw: RawVotes, spelled: dict[str, list[int]]) -> None:
    """Refuse two names that differ only in case or white space."""
    folded: dict[str, str] = {}
    for text in spelled:
        other = folded.setdefault(
            " ".join(unicodedata.normalize("NFKC", text).casefold().split()), text
        )
        if other != text:
            vote, earlier = (raw.answer.first(spelled[name][0]) for name in (text, other))
            raise InputError(
                f"{raw.location(vote)}: answer {quoted(text)} of {raw.description(vote)} differs "
                f"only in case or white space from {quoted(other)} of {raw.location(earlier)}. "
                "Write them one way."
            )


def _check_closed(raw: RawVotes, names: list[str]) -> None:
    """Refuse so many names that they look like open answers."""
    items = len(raw.ids)
    if len(names) > 20 and 2 * len(names) > items:
        raise InputError(
            f"{raw.source.name} has {len(names):,} distinct answers on {items:,} items, such as "
            f"{quoted(names[0])} and {quoted(names[1])}: they look like open answers. "
            "Set `answers` to number, text, json, slots or set, or give the class names as "
            "`classes`."
        )


def _notes(raw: RawVotes, spelled: dict[str, list[int]]) -> list[str]:
    values, notes = raw.answer.values, []
    for text, codes in spelled.items():
        if len(codes) > 1:
            spellings = " and ".join(quoted(values[code]) for code in codes)
            notes.append(f"The answers {spellings} are one class, {text!r}.")
    sets: dict[str, str] = {}
    for text in (text for text in spelled if re.search(r"[|;,]", text)):
        other = sets.setdefault(canonical_set(text), text)
        if other != text:
            notes.append(
                f"The answers {quoted(other)} and {quoted(text)} are two classes; `answers: set` "
                "reads them as the same labels in another order."
            )
    for text in spelled:
        if is_ambiguous(text):
            notes.append(
                f"The answer {text!r} is read as a class; an empty answer abstains. If it is "
                "none, give it as `abstain`."
            )
    return notes


def is_ambiguous(text: str) -> bool:
    """Whether a text may mean that there is no answer."""
    plain = " ".join(text.casefold().split())
    return plain in AMBIGUOUS or bool(EXCEL_ERROR.fullmatch(plain))
