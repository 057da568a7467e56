"""Votes in rows, read and checked."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.io.counted import counted
from steelyard.io.row_source import RowSource
from steelyard.types import ABSTAIN, Ints, Votes
from steelyard.types.build_votes import given_pairs
from steelyard.votes_io.classes import (
    NO_CLASS,
    Answers,
    FileClasses,
    OpenAnswerFormat,
    OpenAnswers,
    canonical_value,
    infer_classes,
    refuse,
)
from steelyard.votes_io.column_names import truth_like
from steelyard.votes_io.layout import Header
from steelyard.votes_io.option_orders import option_orders
from steelyard.votes_io.raw_votes import read_raw_votes
from steelyard.votes_io.read_options import READ_AS_IS, ReadOptions
from steelyard.votes_io.several_files import read_files
from steelyard.votes_io.tabulate import Duplicates, given_probabilities, tabulate
from steelyard.votes_io.truth import truth_of
from steelyard.votes_io.values import empty, names_shown, quoted, whole_number
from steelyard.votes_io.vote_columns import RawVotes

ADVICE = "keep one of each, tell them apart by `query`, or set `duplicates` to last or mean."


@dataclass(frozen=True, eq=False)
class LoadedVotes:
    """Votes of a file or of a table in memory, and notes on how they were read."""

    votes: Votes
    header: Header  # the meaning of each column
    label_set: FileClasses | OpenAnswers
    duplicates: int  # votes that repeat an earlier one
    truth: dict[str, Ints] = field(default_factory=dict)  # by column, (N,) as in `read_truth`
    notes: tuple[str, ...] = ()  # sentences about ambiguous answers
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)  # (N,) texts, "" if empty
    texts: tuple[str, ...] = ()  # (N,) of the items, "" if unknown; empty without such a column
    orders: Ints | None = None  # (M,), of the options, as `position_bias` takes them


def read_votes(
    source: RowSource | Path | Sequence[Path],
    *,
    classes: tuple[str, ...] | None = None,
    named_in: str = "",
    classes_may_differ: bool = False,
    answers: Answers = "closed",
    duplicates: Duplicates = "error",
    truth: Collection[str] = (),
    kept_columns: Collection[str] = (),
    options: ReadOptions = READ_AS_IS,
    separator: str | None = None,
) -> LoadedVotes:
    """Votes in rows, long, nested or one column per voter.

    Ids and voters keep the order of the rows. Empty answers, NaN and -1 abstain, unless they are
    names of classes. Without `classes` the answers themselves are the classes, sorted.

    Args:
        source: the rows, or the path of a JSON lines, JSON, CSV, Parquet or Excel file, or several
            paths; then the name of a file is the voter of rows that name none.
        classes: names of the classes; a whole number is a name, or the number of a class.
        named_in: the file that names the classes, for messages.
        classes_may_differ: whether `classes` are ignored where no answer is one of their names
            and some are no class: names that stand beside the file and are of another one.
        answers: "closed" for answers that name classes, else the format of open answers: number,
            text, json or slots.
        duplicates: what to do with repeated votes of a voter on an item with the same prompt.
        truth: names of columns that hold the truth.
        kept_columns: names of other columns to keep as texts, such as a language or a batch.
        options: names of columns, the voters that count, and answers that abstain.
        separator: of the cells of CSV files; None finds it in the header.

    Raises:
        InputError: anything that does not fit, with its file, line and value.
    """
    raw = _raw(source, list(dict.fromkeys([*truth, *kept_columns])), options, separator)
    _check_ids(raw)
    label_set: FileClasses | OpenAnswers
    if answers == "closed":
        others = classes is not None and classes_may_differ and are_others(raw, classes, options)
        label_set, notes = (
            (FileClasses(classes, options), list[str]())
            if classes is not None and not others
            else infer_classes(raw, options)
        )
        if others:
            classes = None
            notes.append(f"{named_in} names other classes, and was not used.")
        number = class_numbers(raw, label_set, named_in)
        notes += _abstentions(raw, number, label_set)
    else:
        label_set, number = open_answers(raw, answers, options)
        notes = _unparsed(raw, number, answers)
    probs = given_probabilities(raw, number, label_set, classes_given=classes is not None)
    votes, repeated = tabulate(raw, number, label_set, probs, duplicates, ADVICE)
    true_answers = {
        name: truth_of(raw.source, column, raw.row_id, len(raw.ids), label_set, name)
        for name, column in raw.truth.items()
        if name in truth
    }
    notes += [*_similar_voters(raw), *_unused(raw, options), *_truth_voters(raw, options)]
    texts = {name: _item_texts(raw, name) for name in kept_columns}
    return LoadedVotes(
        *(votes, raw.header, label_set, repeated, true_answers, (*raw.notes, *notes), texts),
        texts=_item_texts(raw, raw.header.text) if raw.header.text in raw.truth else (),
        orders=None if repeated else option_orders(raw, len(label_set.names)),
    )


def _item_texts(raw: RawVotes, name: str) -> tuple[str, ...]:
    """A column's text for each id, (N,), from its first row; "" where it is empty."""
    column = raw.truth[name]
    texts = ["" if empty(value) else str(value) for value in column.values]
    first = np.full(len(raw.ids), -1, dtype=np.int64)
    first[raw.row_id[::-1]] = np.arange(len(raw.row_id))[::-1]
    return tuple(texts[column.codes[row]] if row >= 0 else "" for row in first)


def _raw(
    source: RowSource | Path | Sequence[Path],
    truth: Collection[str],
    options: ReadOptions,
    separator: str | None,
) -> RawVotes:
    if isinstance(source, Path):
        return read_files([source], separator, truth, options)
    if isinstance(source, Sequence):
        return read_files(source, separator, truth, options)
    return read_raw_votes(source, truth, options)


def class_numbers(raw: RawVotes, label_set: FileClasses, named_in: str = "") -> Ints:
    """The class of each vote, (M,), or ABSTAIN; InputError about the first that is no class."""
    number = label_set.numbers(raw.answer.values)[raw.answer.codes]
    if (number == NO_CLASS).any():
        vote = int(np.argmax(number == NO_CLASS))
        refuse(raw, vote, not_a_class(raw.value(vote), label_set.names, named_in))
    return number


def are_others(raw: RawVotes, classes: tuple[str, ...], options: ReadOptions) -> bool:
    """Whether no answer is one of these names, and some are no numbers of them either."""
    values = raw.answer.values
    named = any(str(value) in classes for value in values)
    return not named and bool((FileClasses(classes, options).numbers(values) == NO_CLASS).any())


def not_a_class(value: Any, names: Sequence[str], named_in: str = "") -> str:
    """Why an answer is refused, with the class that is spelt most like it."""
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    names_shown = quoted(list(names)) + (f" of {named_in}" if named_in else "")
    return (
        f"is neither a class {names_shown} nor a number in [0, {len(names)}). "
        f"{hint}Leave it empty to abstain, or give it as `abstain`."
    )


def open_answers(
    raw: RawVotes, answer_format: OpenAnswerFormat, options: ReadOptions = READ_AS_IS
) -> tuple[OpenAnswers, Ints]:
    """The canonical texts of open answers, and the number of each vote's text, (M,), or ABSTAIN."""
    texts = [
        None if options.abstains(value) else canonical_value(value, answer_format)
        for value in raw.answer.values
    ]
    names = tuple(sorted({text for text in texts if text is not None}))
    row = {name: i for i, name in enumerate(names)}
    numbers = np.array([ABSTAIN if t is None else row[t] for t in texts], dtype=np.int64)
    number = numbers[raw.answer.codes]
    pairs = given_pairs(raw.example, number, len(names))
    return OpenAnswers(answer_format, names, pairs, options), number


def _check_ids(raw: RawVotes) -> None:
    """Refuse ids that differ only in case or outer white space."""
    folded = list(map(str.casefold, map(str.strip, raw.ids)))
    if len(set(folded)) == len(folded):
        return
    seen: dict[str, int] = {}
    for i, name in enumerate(folded):
        other = seen.setdefault(name, i)
        if other != i:
            rows = [int(np.argmax(raw.row_id == number)) for number in (i, other)]
            later, earlier = (raw.source.at(row)[0] for row in rows)
            raise InputError(
                f"{later}: id {raw.ids[i]!r} differs only in case or white space from "
                f"{raw.ids[other]!r} of {earlier}. Write them one way."
            )


def _unparsed(raw: RawVotes, number: Ints, answer_format: OpenAnswerFormat) -> list[str]:
    """A note on answers that abstain because they cannot be read in that format."""
    if not len(number):
        raise InputError(f"{raw.source.name} has no vote. Is it the right file?")
    first = quoted(raw.answer.values[0])
    if (number == ABSTAIN).all():
        raise InputError(
            f"{raw.source.name} has no answer that reads as `answers: {answer_format}`, first "
            f"{first}. Give another format."
        )
    given = ~np.array([empty(value) for value in raw.answer.values])[raw.answer.codes]
    votes = np.flatnonzero(given & (number == ABSTAIN))
    if len(votes) == 0:
        return []
    first = quoted(raw.value(int(votes[0])))
    verbs = ("has", "it", "abstains") if len(votes) == 1 else ("have", "them", "abstain")
    answers = f"{counted(len(votes), 'answer')} {verbs[0]} no {answer_format} in {verbs[1]}"
    return [f"{answers} and {verbs[2]}, such as {first}."]


def _abstentions(raw: RawVotes, number: Ints, label_set: FileClasses) -> list[str]:
    """Notes on texts that were read as abstentions; null and empty cells need none."""
    notes = []
    count = np.bincount(raw.answer.codes[number == ABSTAIN], minlength=len(raw.answer.values))
    for code in np.flatnonzero(count):
        value, votes = raw.answer.values[code], int(count[code])
        if value is None or str(value).strip() == "":
            continue
        verb = "abstains" if votes == 1 else "abstain"
        if whole_number(value) == "-1" and not label_set.options.abstains(value):
            notes.append(
                f"{counted(votes, 'answer')} ({votes / len(number):.0%}) of {quoted(value)} "
                f"{verb}; if -1 is a class, give all class names as `classes`."
            )
        else:
            notes.append(f"{counted(votes, 'answer')} of {quoted(value)} {verb}.")
    return notes


def _similar_voters(raw: RawVotes) -> list[str]:
    """A note on voters whose names differ only in case or white space: they count as two."""
    folded: dict[str, list[str]] = {}
    for name in raw.voters:
        folded.setdefault(" ".join(name.casefold().split()), []).append(name)
    alike = [names for names in folded.values() if len(names) > 1]
    if not alike:
        return []
    shown = "; ".join(" and ".join(map(repr, names[:3])) for names in alike[:3])
    return [
        f"Voters whose names differ only in case or white space count as different: {shown}"
        + ("; ..." if alike[3:] else ".")
    ]


def _unused(raw: RawVotes, options: ReadOptions) -> list[str]:
    """Notes on answers that should abstain and never occur."""
    unused = [
        text
        for text in options.abstain
        if not any(ReadOptions(abstain=(text,)).abstains(value) for value in raw.answer.values)
    ]
    return [f"No answer is {quoted(text)}, which `abstain` names." for text in unused]


def _truth_voters(raw: RawVotes, options: ReadOptions) -> list[str]:
    """A note on voters of long rows that are called like the truth."""
    if raw.header.layout == "wide" or options.voters:
        return []
    alike = truth_like(raw.voters)
    if not alike:
        return []
    return [
        f"Voters {names_shown(alike)} vote, and are called like the truth, a consensus or a "
        "prediction: leave them out with `without`, or list all voters with `voters`."
    ]
