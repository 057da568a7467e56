"""A file of votes, read and checked: what `weigh` starts from."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from steelyard.errors import InputError
from steelyard.io.columns import Codes, Column, read_columns, row_at
from steelyard.io.rows import read_rows
from steelyard.types import ABSTAIN, Ints, Votes
from steelyard.types.build_votes import given_pairs
from steelyard.votes_io.classes import (
    NO_CLASS,
    Answers,
    FileClasses,
    OpenAnswerFormat,
    OpenAnswers,
    canonical_value,
    find_classes,
    refuse,
)
from steelyard.votes_io.layout import TRUTH, Header, check_named
from steelyard.votes_io.raw_votes import RawVotes, empty, name_column, read_raw_votes, shown
from steelyard.votes_io.tabulate import Duplicates, given_probabilities, tabulate

_Read: TypeAlias = tuple[FileClasses | OpenAnswers, Ints, list[str]]


@dataclass(frozen=True, eq=False)
class LoadedVotes:
    """A votes file as it was read."""

    votes: Votes
    header: Header  # what each column was read as
    meaning: FileClasses | OpenAnswers
    duplicates: int  # votes that repeat an earlier one
    truth: dict[str, Ints] = field(default_factory=dict)  # of each column named, as `read_truth`
    remarks: tuple[str, ...] = ()  # sentences about how doubtful things were read


def read_votes(
    path: Path,
    *,
    classes: tuple[str, ...] | None = None,
    named_in: str = "",
    answers: Answers = "closed",
    duplicates: Duplicates = "error",
    truth: Collection[str] = (),
) -> LoadedVotes:
    """Votes of a file, long, nested or one column per voter.

    Ids and voters keep the order of the file. Empty answers, NaN and -1 abstain, unless they are
    names of classes. Without `classes` the answers themselves are the classes, sorted.

    Args:
        path: JSON lines, JSON, CSV or Parquet.
        classes: names of the classes; a whole number is one of them, or the number of one.
        named_in: the file that names the classes, for messages.
        answers: whether they name classes, or are open and read as numbers, texts, JSON
            or slots.
        duplicates: what to do with two votes of one voter on one item, asked the same way.
        truth: names of columns that hold the truth.

    Raises:
        InputError: whatever does not fit, with its file, line and value.
    """
    cast = read_raw_votes(path, truth)
    _check_ids(cast)
    meaning, numbers, said = (
        _closed(cast, classes, named_in) if answers == "closed" else _open(cast, answers)
    )
    number = numbers[cast.answer.codes]
    probs = given_probabilities(cast, number, meaning, sure=classes is not None)
    votes, found = tabulate(cast, number, meaning, probs, duplicates)
    known = {
        name: truth_of(path, column, cast.row_id, len(cast.ids), meaning, name)
        for name, column in cast.truth.items()
    }
    return LoadedVotes(votes, cast.header, meaning, found, known, tuple(said))


def read_truth(path: Path, ballots: LoadedVotes) -> Ints:
    """The true answers in a file of `id, truth`, joined to the votes by id, (N,).

    ABSTAIN where the truth is not known, NOBODY where no vote of the item has it.

    Raises:
        InputError: an unknown id, an unknown class, or two truths of one id.
    """
    header = list(next(iter(read_rows(path)))[1])
    near = [name for name in header if name.casefold() in (*TRUTH, "label", "answer")]
    if "truth" not in header and near:
        raise InputError(f"{path.name} has no column 'truth'; rename {near[0]!r} to `truth`?")
    check_named(path, ("id", "truth"), header)
    columns = read_columns(path, header, ("id", "truth"))
    ids, row_id = name_column(path, columns["id"], "id")
    row = {name: i for i, name in enumerate(ballots.votes.ids)}
    joined = np.array([row.get(name, -1) for name in ids], dtype=np.int32)[row_id]
    if (joined < 0).any():
        first = int(np.argmax(joined < 0))
        raise InputError(
            f"{row_at(path, first)[0]}: id {ids[row_id[first]]!r} is not among the {len(row):,} "
            "ids of the votes. Truth and votes must be about the same items."
        )
    return truth_of(path, columns["truth"], joined, len(row), ballots.meaning, "truth")


def truth_of(
    path: Path,
    column: Column,
    row_id: Codes,
    size: int,
    meaning: FileClasses | OpenAnswers,
    name: str,
) -> Ints:
    """The true answer of each example, (N,); rows of one id must agree."""
    numbers = meaning.numbers(column.values)
    if isinstance(meaning, FileClasses):
        for code in np.flatnonzero(numbers == NO_CLASS):
            raise InputError(
                f"{row_at(path, column.first(int(code)))[0]}: `{name}` "
                f"{shown(column.values[code])} is not among the classes "
                f"{shown(list(meaning.names))}. If voters may say it and merely never did, list "
                "all classes in a file for `--classes`."
            )
    number = numbers[column.codes]
    rows = np.flatnonzero(number != ABSTAIN)
    first = np.full(size, -1, dtype=np.int64)
    first[row_id[rows[::-1]]] = rows[::-1]
    differs = number[rows] != number[first[row_id[rows]]]
    if differs.any():
        row = int(rows[np.argmax(differs)])
        before = int(first[row_id[row]])
        raise InputError(
            f"{row_at(path, row)[0]}: `{name}` {shown(column.values[column.codes[row]])} differs "
            f"from {shown(column.values[column.codes[before]])} of {row_at(path, before)[0]}, and "
            "both are about the same id. Keep one."
        )
    example = np.flatnonzero(first >= 0)
    truth = np.full(size, ABSTAIN, dtype=np.int64)
    truth[example] = meaning.candidates(example, number[first[example]])
    return truth


def _check_ids(cast: RawVotes) -> None:
    """Ids that differ only in case or outer white space are one id to a reader, so refused."""
    folded = list(map(str.casefold, map(str.strip, cast.ids)))
    if len(set(folded)) == len(folded):
        return
    seen: dict[str, int] = {}
    for i, name in enumerate(folded):
        other = seen.setdefault(name, i)
        if other != i:
            one, two = (row_at(cast.path, int(np.argmax(cast.row_id == j)))[0] for j in (i, other))
            raise InputError(
                f"{one}: id {cast.ids[i]!r} differs only in case or white space from "
                f"{cast.ids[other]!r} of {two}. Write them one way."
            )


def _closed(cast: RawVotes, classes: tuple[str, ...] | None, named_in: str) -> _Read:
    meaning, said = (FileClasses(classes), []) if classes is not None else find_classes(cast)
    numbers = meaning.numbers(cast.answer.values)
    wrong = np.isin(cast.answer.codes, np.flatnonzero(numbers == NO_CLASS))
    if wrong.any():
        vote = int(np.argmax(wrong))
        refuse(cast, vote, _unknown(cast.answer.values[cast.answer.codes[vote]], meaning, named_in))
    return meaning, numbers, said + _abstentions(cast, numbers)


def _unknown(value: Any, meaning: FileClasses, named_in: str) -> str:
    near = difflib.get_close_matches(str(value), meaning.names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "Leave it empty to abstain."
    names = shown(list(meaning.names)) + (f" of {named_in}" if named_in else "")
    return f"is neither a class {names} nor a number in [0, {len(meaning.names)}). {hint}"


def _open(cast: RawVotes, answers: OpenAnswerFormat) -> _Read:
    texts = [canonical_value(value, answers) for value in cast.answer.values]
    names = tuple(sorted({text for text in texts if text is not None}))
    if not names:
        raise InputError(
            f"{cast.path.name} has no answer that reads as `--answers {answers}`, first "
            f"{shown(cast.answer.values[0])}. Give another reader."
        )
    row = {name: i for i, name in enumerate(names)}
    numbers = np.array([ABSTAIN if t is None else row[t] for t in texts], dtype=np.int64)
    pairs = given_pairs(cast.example, numbers[cast.answer.codes], len(names))
    strange = [
        code
        for code, (text, value) in enumerate(zip(texts, cast.answer.values, strict=True))
        if text is None and not empty(value)
    ]
    said = []
    if strange:
        votes = int(np.isin(cast.answer.codes, strange).sum())
        first = shown(cast.answer.values[strange[0]])
        said.append(f"{votes:,} answers have no {answers} in them and abstain, such as {first}.")
    return OpenAnswers(answers, names, pairs), numbers, said


def _abstentions(cast: RawVotes, numbers: Ints) -> list[str]:
    """Words that were read as abstentions are counted; nulls and empty cells are what they are."""
    said = []
    for code, value in enumerate(cast.answer.values):
        nothing = value is None or str(value).strip() == ""
        votes = int((cast.answer.codes == code).sum()) if numbers[code] == ABSTAIN else 0
        if votes and not nothing:
            said.append(f"{votes:,} answers of {shown(value)} abstain.")
    return said
