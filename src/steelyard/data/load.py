"""Read a data set: two checked splits, before anything is drawn."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from steelyard.data.generated import generate
from steelyard.data.hub import class_names, open_hub, table_rows
from steelyard.data.labels import Classes, LabelledRow, all_classes, option_number, read_names
from steelyard.data.normalize_text import group_keys
from steelyard.data.preference_rows import PairRows, read_pairs
from steelyard.data.row_fields import RowParser, abridged
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
    groups: tuple[str, ...]  # (N,), keys of train rows: equal ones ask about the same thing
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> rows without information


@dataclass(frozen=True)
class _File:
    """Rows of one split, and how they are read."""

    rows: Iterable[LocatedRow]
    parser: RowParser

    def read(self) -> list[LabelledRow]:
        parser, labelled = self.parser, []
        for number, (location, row) in enumerate(self.rows, start=1):
            question = parser.question(row, location, number)
            label = parser.label(row, location, question.id)
            labelled.append(LabelledRow(location, question, label, parser.from_csv))
        return labelled

    def read_pairs(self) -> PairRows:
        return read_pairs(self.rows, self.parser)


def load(kind: Kind, data: Data, base: Path = Path()) -> LoadedData:
    """Read and check all rows of a data set; relative paths start from the folder `base`.

    Raises:
        InputError: a file, a row, a label or an id does not fit; the first one is named.
        ConfigError: the embedded task is loaded as another kind than classification.
    """
    if data.generated:
        return _generated(kind, data.generated)
    opened = _open_hub(kind, data, base) if data.hub else _open_files(kind, data, base)
    name, names, train_file, test_file = opened
    if KINDS[kind].is_pair:
        return _pairs(name, kind, train_file.read_pairs(), test_file.read_pairs())
    train, test = train_file.read(), test_file.read()
    _check_ids([*train, *test])
    if KINDS[kind].is_open:
        splits = _open_split(train), _open_split(test)
        return LoadedData(name, kind, (), *splits, group_keys(splits[0].questions))
    if KINDS[kind].has_options:
        classes = KINDS[kind].names([row.question for row in train + test])
        splits = _closed_split(train, option_number), _closed_split(test, option_number)
    else:
        named = all_classes(train) if names is None else Classes(names, False)
        classes = named.names
        splits = _closed_split(train, named.answer), _closed_split(test, named.answer)
        _check_classes_seen(splits[0].truth, test, splits[1].truth, classes)
    _check_two_answers(train, splits[0].truth)
    return LoadedData(name, kind, classes, *splits, group_keys(splits[0].questions))


def read_labelled(
    kind: Kind, path: Path, classes: tuple[str, ...], columns: Mapping[str, str] | None = None
) -> Split:
    """Rows of one more file with the classes of a model that is already trained.

    An integer label is a number of the `labels.json` next to the file. Without that file it is
    a class name where all classes are integers, else a class number from 0.

    Raises:
        InputError: the file does not fit, or its `labels.json` has other classes.
    """
    file = _open_file(kind, path, columns)
    if KINDS[kind].is_pair:
        return _one_file_of_pairs(file, path)
    rows = file.read()
    _check_ids(rows)
    if KINDS[kind].is_open:
        return _open_split(rows)
    if KINDS[kind].has_options:
        return _closed_split(rows, option_number)
    names = read_names(path.parent)
    if names is None:
        integers = all(name.removeprefix("-").isdecimal() for name in classes)
        return _closed_split(rows, Classes(classes, integers).answer)
    if sorted(names) != sorted(classes):
        raise InputError(
            f"{path.parent / 'labels.json'} must name the model's classes {list(classes)}, "
            f"in any order; got {list(names)}."
        )
    split = _closed_split(rows, Classes(names, False).answer)
    return Split(split.questions, np.array([classes.index(name) for name in names])[split.truth])


def read_class_names(
    kind: Kind, path: Path, columns: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Class names of a labelled file: of the `labels.json` next to it, or of its labels."""
    names = read_names(path.parent)
    return names or all_classes(_open_file(kind, path, columns).read()).names


def read_questions(
    kind: Kind, path: Path, columns: Mapping[str, str] | None = None
) -> tuple[Question, ...]:
    """Questions of a file; labels, if it has any, are not read.

    For preferences the two answers are read, and pairs without information are dropped.

    Raises:
        InputError: the file does not fit, or two rows have one id.
    """
    file = _open_file(kind, path, columns)
    if KINDS[kind].is_pair:
        return _one_file_of_pairs(file, path).questions
    rows = [
        LabelledRow(location, file.parser.question(row, location, number), 0)
        for number, (location, row) in enumerate(file.rows, start=1)
    ]
    _check_ids(rows)
    return tuple(row.question for row in rows)


def _open_file(kind: Kind, path: Path, columns: Mapping[str, str] | None) -> _File:
    parser = RowParser(kind, stem(path), dict(columns or {}), from_csv=is_csv(path))
    return _File(read_rows(path), parser)


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
    settings = data.columns, data.max_characters
    files = [
        _File(read_rows(path), RowParser(kind, name, *settings, is_csv(path)))
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
    """Refuse a data file that does not exist, and say where data may come from."""
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
        parser = RowParser(kind, split, data.columns, data.max_characters)
        if KINDS[kind].has_classes:
            names = names or class_names(table, parser.column("label"))
        files.append(_File(table_rows(table, f"{data.hub} {split}"), parser))
    name = Path(data.hub).name + (f"-{data.subset}" if data.subset else "")
    return name, names, files[0], files[1]


def _generated(kind: Kind, name: str) -> LoadedData:
    if not KINDS[kind].has_classes:
        raise ConfigError(f"`generated: {name}` is a classification task; got kind {kind!r}.")
    classes, rows = generate(5000, seed=0)

    def split(part: str, pairs: Sequence[tuple[str, int]]) -> Split:
        texts = enumerate(text for text, _ in pairs)
        questions = tuple(Question(f"{name}-{part}-{i}", text) for i, text in texts)
        return Split(questions, np.array([label for _, label in pairs], dtype=np.int64))

    train, test = split("train", rows[:4000]), split("test", rows[4000:])
    return LoadedData(name, kind, classes, train, test, group_keys(train.questions))


def _pairs(name: str, kind: Kind, train: PairRows, test: PairRows) -> LoadedData:
    """Preferences: two answers, and no classes that have to occur in train."""
    _check_ids([*train.rows, *test.rows])
    dropped = {reason: train.dropped[reason] + test.dropped[reason] for reason in test.dropped}
    first = train.split
    return LoadedData(name, kind, PAIR, first, test.split, group_keys(first.questions), dropped)


def _one_file_of_pairs(file: _File, path: Path) -> Split:
    pairs = file.read_pairs()
    _check_ids(pairs.rows)
    if sum(pairs.dropped.values()):
        reasons = ", ".join(f"{count} with {reason}" for reason, count in pairs.dropped.items())
        log.warning("%s: pairs without information are dropped, %s.", path.name, reasons)
    return pairs.split


def _open_split(rows: list[LabelledRow]) -> Split:
    """Open questions: the true answer of each is number 0 of its own list."""
    questions = tuple(row.question for row in rows)
    texts = tuple(str(row.label) for row in rows)
    return Split(questions, np.zeros(len(rows), dtype=np.int64), texts)


def _closed_split(rows: list[LabelledRow], number: Callable[[LabelledRow], int]) -> Split:
    """Closed questions; `number` gives the answer number of a row's label."""
    truth = np.array([number(row) for row in rows], dtype=np.int64)
    return Split(tuple(row.question for row in rows), truth)


def _check_ids(rows: Sequence[LabelledRow]) -> None:
    """Refuse equal ids; those that differ only in case or outer white space count as equal."""
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
            f"{abridged(rows[0].label)}. At least two different labels are needed."
        )
