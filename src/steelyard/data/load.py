"""Read a data set: two checked splits, before anything is drawn."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from steelyard.data.generated import generate
from steelyard.data.hub import class_names, open_hub, table_rows
from steelyard.data.labels import Classes, LabelledRow, find_classes, option_number, read_names
from steelyard.data.normalize_text import group_keys
from steelyard.data.preference_rows import PairRows, read_pairs
from steelyard.data.row_fields import RowParser, shown
from steelyard.data.settings import Data
from steelyard.errors import ConfigError, InputError
from steelyard.io.files import check_file
from steelyard.io.rows import LocatedRow, is_csv, read_rows, stem
from steelyard.types import PAIR, Ints, Question, Split
from steelyard.types.task_kinds import KINDS, Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LoadedData:
    """A data set as it was published: all train rows, all test rows."""

    name: str
    kind: Kind
    classes: tuple[str, ...]
    train: Split
    test: Split
    groups: tuple[str, ...]  # (N,) of train: rows of one key ask about the same thing
    left_out: dict[str, int] = field(default_factory=dict)  # reason -> rows that say nothing


@dataclass(frozen=True)
class _File:
    """Rows of one split, and how they are read."""

    rows: Iterable[LocatedRow]
    reader: RowParser

    def read(self) -> list[LabelledRow]:
        labelled = []
        for number, (location, row) in enumerate(self.rows, start=1):
            question = self.reader.question(row, location, number)
            labelled.append(
                LabelledRow(location, question, self.reader.label(row, location, question.id))
            )
        return labelled

    def read_pairs(self) -> PairRows:
        return read_pairs(self.rows, self.reader)


def load(kind: Kind, data: Data, base: Path = Path()) -> LoadedData:
    """Read and check all rows of a data set.

    Args:
        kind: what the rows ask.
        data: where they are.
        base: folder that relative paths start from.

    Raises:
        InputError: a file, a row, a label or an id does not fit; the first culprit is named.
        ConfigError: the embedded task is asked for as multiple choice.
    """
    if data.generated:
        return _generated(kind, data.generated)
    if data.hub:
        name, names, train_file, test_file = _open_hub(kind, data, base)
    else:
        name, names, train_file, test_file = _open_files(kind, data, base)
    if KINDS[kind].is_pair:
        return _pairs(name, kind, train_file.read_pairs(), test_file.read_pairs())
    train, test = train_file.read(), test_file.read()
    _check_ids([*train, *test])
    if KINDS[kind].is_open:
        first, second = _open_split(train), _open_split(test)
        return LoadedData(name, kind, (), first, second, group_keys(first.questions))
    from_csv = (train_file.reader.from_csv, test_file.reader.from_csv)
    if KINDS[kind].has_options:
        classes = KINDS[kind].names([row.question for row in train + test])
        truths = [_options(rows, csv) for rows, csv in zip((train, test), from_csv, strict=True)]
    else:
        named = find_classes(train, from_csv[0]) if names is None else Classes(names, False)
        classes = named.names
        truths = [_answers(r, named, csv) for r, csv in zip((train, test), from_csv, strict=True)]
        _check_classes_seen(truths[0], test, truths[1], classes)
    _check_two_answers(train, truths[0])
    questions = tuple(row.question for row in train)
    return LoadedData(
        name=name,
        kind=kind,
        classes=classes,
        train=Split(questions, truths[0]),
        test=Split(tuple(row.question for row in test), truths[1]),
        groups=group_keys(questions),
    )


def read_labelled(
    kind: Kind,
    path: Path,
    classes: tuple[str, ...],
    columns: Mapping[str, str] | None = None,
    max_characters: int = 1_000_000,
) -> Split:
    """Rows of one more file with the classes of a model that is already trained.

    An integer label is a number of the `labels.json` next to the file. Without that file it is
    a class name where all classes are integers, else a class number from 0.

    Raises:
        InputError: the file does not fit, or its `labels.json` has other classes.
    """
    reader = RowParser(kind, stem(path), dict(columns or {}), max_characters, is_csv(path))
    if KINDS[kind].is_pair:
        return _one_file_of_pairs(path, reader)
    rows = _File(read_rows(path), reader).read()
    _check_ids(rows)
    if KINDS[kind].is_open:
        return _open_split(rows)
    questions = tuple(row.question for row in rows)
    if KINDS[kind].has_options:
        return Split(questions, _options(rows, reader.from_csv))
    names = read_names(path.parent)
    if names is None:
        integers = all(name.removeprefix("-").isdecimal() for name in classes)
        return Split(questions, _answers(rows, Classes(classes, integers), reader.from_csv))
    if sorted(names) != sorted(classes):
        raise InputError(
            f"{path.parent / 'labels.json'} must name the model's classes {list(classes)}, "
            f"in any order; got {list(names)}."
        )
    truth = _answers(rows, Classes(names, False), reader.from_csv)
    return Split(questions, np.array([classes.index(name) for name in names])[truth])


def read_questions(
    kind: Kind,
    path: Path,
    columns: Mapping[str, str] | None = None,
    max_characters: int = 1_000_000,
) -> tuple[Question, ...]:
    """Questions of a file; labels, if it has any, are not looked at.

    Of preferences the two answers are, and pairs that say nothing are left out.

    Raises:
        InputError: the file does not fit, or two rows have one id.
    """
    reader = RowParser(kind, stem(path), dict(columns or {}), max_characters, is_csv(path))
    if KINDS[kind].is_pair:
        return _one_file_of_pairs(path, reader).questions
    rows = [
        LabelledRow(location, reader.question(row, location, number), 0)
        for number, (location, row) in enumerate(read_rows(path), start=1)
    ]
    _check_ids(rows)
    return tuple(row.question for row in rows)


def _open_files(
    kind: Kind, data: Data, base: Path
) -> tuple[str, tuple[str, ...] | None, _File, _File]:
    assert data.train is not None
    assert data.test is not None
    train, test = base / data.train, base / data.test
    for setting, path in (("train", train), ("test", test)):
        _check_there(setting, path, base)
    stems = (stem(train), stem(test))
    if stems[0] == stems[1]:
        stems = ("train", "test")
    files = [
        _File(
            read_rows(path), RowParser(kind, name, data.columns, data.max_characters, is_csv(path))
        )
        for path, name in zip((train, test), stems, strict=True)
    ]
    names = None
    if KINDS[kind].has_classes:
        names = read_names(train.parent)
        others = read_names(test.parent)
        if others is not None and others != names:
            raise InputError(
                f"{test.parent / 'labels.json'} must be the same as the one next to {train}; "
                f"got {list(others)} and {list(names or ())}. Keep one and copy it."
            )
    folder = train.resolve().parent.name
    name = folder if folder and stem(train).startswith("train") else stem(train)
    return name, names, files[0], files[1]


def _check_there(setting: str, path: Path, base: Path) -> None:
    """Refuse a data file that does not exist, and say where data may come from.

    Raises:
        InputError: naming the file, its setting and the folder that relative paths start from.
    """
    if path.exists():
        return
    try:
        check_file(path)
    except InputError as error:
        raise InputError(
            f"{error} `data.{setting}` names this file; relative paths start from "
            f"{base.resolve()}, the folder of the study file. Put the data there, or set "
            f"`data.{setting}` to where the file is, or `data.hub` to a data set of the Hub."
        ) from error


def _open_hub(
    kind: Kind, data: Data, base: Path
) -> tuple[str, tuple[str, ...] | None, _File, _File]:
    assert data.hub is not None
    assert data.train is not None
    assert data.test is not None
    names, files = None, []
    for split in (data.train, data.test):
        table = open_hub(data, split, base)
        reader = RowParser(kind, split, data.columns, data.max_characters)
        if KINDS[kind].has_classes:
            names = names or class_names(table, reader.column("label"))
        files.append(_File(table_rows(table, f"{data.hub} {split}"), reader))
    name = Path(data.hub).name + (f"-{data.subset}" if data.subset else "")
    return name, names, files[0], files[1]


def _generated(kind: Kind, name: str) -> LoadedData:
    if not KINDS[kind].has_classes:
        raise ConfigError(f"`generated: {name}` is a classification task; got kind {kind!r}.")
    train_rows, test_rows = 4000, 1000
    classes, rows = generate(train_rows + test_rows, seed=0)
    splits = []
    for split, part in (("train", rows[:train_rows]), ("test", rows[train_rows:])):
        questions = tuple(Question(f"{name}-{split}-{i}", text) for i, (text, _) in enumerate(part))
        splits.append(Split(questions, np.array([label for _, label in part], dtype=np.int64)))
    groups = group_keys(splits[0].questions)
    return LoadedData(name, kind, classes, splits[0], splits[1], groups)


def _pairs(name: str, kind: Kind, train: PairRows, test: PairRows) -> LoadedData:
    """Preferences: two answers, and no classes that have to be seen."""
    _check_ids([*train.rows, *test.rows])
    left_out = {reason: train.left_out[reason] + test.left_out[reason] for reason in test.left_out}
    first = train.split
    return LoadedData(name, kind, PAIR, first, test.split, group_keys(first.questions), left_out)


def _one_file_of_pairs(path: Path, reader: RowParser) -> Split:
    pairs = read_pairs(read_rows(path), reader)
    _check_ids(pairs.rows)
    if sum(pairs.left_out.values()):
        reasons = ", ".join(f"{count} with {why}" for why, count in pairs.left_out.items())
        log.warning("%s: pairs that say nothing are left out, %s.", path.name, reasons)
    return pairs.split


def _open_split(rows: list[LabelledRow]) -> Split:
    """Open questions: the true answer of each is number 0 of a list of its own."""
    questions = tuple(row.question for row in rows)
    return Split(
        questions, np.zeros(len(rows), dtype=np.int64), tuple(str(row.label) for row in rows)
    )


def _answers(rows: list[LabelledRow], classes: Classes, from_csv: bool) -> Ints:
    return np.array([classes.answer(row, from_csv) for row in rows], dtype=np.int64)


def _options(rows: list[LabelledRow], from_csv: bool) -> Ints:
    return np.array([option_number(row, from_csv) for row in rows], dtype=np.int64)


def _check_ids(rows: Sequence[LabelledRow]) -> None:
    """Ids that differ only in case or outer white space are one id to a reader, so refused."""
    seen: dict[str, LabelledRow] = {}
    for row in rows:
        other = seen.setdefault(row.question.id.strip().casefold(), row)
        if other is not row:
            like = "is also the id"
            if row.question.id != other.question.id:
                like = f"differs only in case or white space from {other.question.id!r}"
            raise InputError(
                f"{row.location}: id {row.question.id!r} {like} of {other.location}. "
                "Every row of train and test needs its own id."
            )


def _check_classes_seen(
    train: Ints, test_rows: list[LabelledRow], test: Ints, classes: tuple[str, ...]
) -> None:
    new = ~np.isin(test, train)
    if new.any():
        i = int(np.flatnonzero(new)[0])
        raise InputError(
            f"{test_rows[i].where}: class {classes[test[i]]!r} is in test and never in train. "
            "Nothing can learn it: add train rows of it, or remove these test rows."
        )


def _check_two_answers(rows: list[LabelledRow], truth: Ints) -> None:
    if (truth == truth[0]).all():
        raise InputError(
            f"All {len(rows):,} train rows have the same label, first {rows[0].where}: "
            f"{shown(rows[0].label)}. At least two different labels are needed."
        )
