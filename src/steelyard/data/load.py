"""Read a data set: two checked splits, before anything is drawn."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from steelyard.data.arrange import LoadedData, arranged
from steelyard.data.generated import generate
from steelyard.data.labels import Classes, LabelledRow, all_classes, option_number, read_names
from steelyard.data.normalize_text import group_keys
from steelyard.data.preference_rows import tags
from steelyard.data.row_fields import abridged
from steelyard.data.settings import Data
from steelyard.data.source_files import Opened, SourceFile, open_file, open_files, open_hub_files
from steelyard.errors import ConfigError, InputError
from steelyard.types import PAIR, Ints, Question, Split
from steelyard.types.task_kinds import KINDS, Kind

log = logging.getLogger(__name__)


def load(kind: Kind, data: Data, base: Path = Path()) -> LoadedData:
    """Read and check all rows of a data set; relative paths start from the folder `base`.

    Raises:
        InputError: a file, a row, a label or an id does not fit; the first one is named.
        ConfigError: the embedded task is loaded as another kind than classification.
    """
    if data.generated:
        return _generated(kind, data.generated)
    opened = open_hub_files(kind, data, base) if data.hub else open_files(kind, data, base)
    classes, train, tests, dropped = _read(kind, opened)
    return arranged(LoadedData(opened.name, kind, classes, train, train, (), dropped), tests, data)


def _read(
    kind: Kind, opened: Opened
) -> tuple[tuple[str, ...], Split, dict[str, Split], dict[str, int]]:
    """Classes, rows of train and of each test set, and how many were dropped for which reason."""
    if KINDS[kind].is_pair:
        train_pairs, *test_pairs = opened.read_pairs()
        _check_ids([row for part in (train_pairs, *test_pairs) for row in part.rows])
        parts = (train_pairs, *test_pairs)
        dropped = {name: sum(part.dropped[name] for part in parts) for name in train_pairs.dropped}
        splits = [part.split for part in test_pairs]
        return PAIR, train_pairs.split, dict(zip(opened.tests, splits, strict=True)), dropped
    train, tests = opened.train.read(), {name: f.read() for name, f in opened.tests.items()}
    test = [row for rows in tests.values() for row in rows]
    _check_ids([*train, *test])
    if KINDS[kind].is_open:
        return (), _open_split(train), {n: _open_split(rows) for n, rows in tests.items()}, {}
    if KINDS[kind].has_options:
        classes, number = KINDS[kind].names([row.question for row in train + test]), option_number
    else:
        named = all_classes(train) if opened.names is None else Classes(opened.names, False)
        classes, number = named.names, named.answer
    first, others = _closed_split(train, number), {}
    for name, rows in tests.items():
        others[name] = _closed_split(rows, number)
        if KINDS[kind].has_classes:
            _check_classes_seen(first.truth, rows, others[name].truth, classes)
    _check_two_answers(train, first.truth)
    return classes, first, others, {}


def read_labelled(
    kind: Kind, path: Path, classes: tuple[str, ...], columns: Mapping[str, str] | None = None
) -> Split:
    """Rows of one more file with the classes of a model that is already trained.

    An integer label is a number of the `labels.json` next to the file. Without that file it is
    a class name where all classes are integers, else a class number from 0.

    Raises:
        InputError: the file does not fit, or its `labels.json` has other classes.
    """
    file = open_file(kind, path, columns)
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
    return names or all_classes(open_file(kind, path, columns).read()).names


def read_questions(
    kind: Kind, path: Path, columns: Mapping[str, str] | None = None
) -> tuple[Question, ...]:
    """Questions of a file; labels, if it has any, are not read.

    For preferences the two answers are read, and pairs without information are dropped.

    Raises:
        InputError: the file does not fit, or two rows have one id.
    """
    file = open_file(kind, path, columns)
    if KINDS[kind].is_pair:
        return _one_file_of_pairs(file, path).questions
    rows = [
        LabelledRow(location, file.parser.question(row, location, number), 0)
        for number, (location, row) in enumerate(file.rows, start=1)
    ]
    _check_ids(rows)
    return tuple(row.question for row in rows)


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


def _one_file_of_pairs(file: SourceFile, path: Path) -> Split:
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
    return Split(questions, np.zeros(len(rows), dtype=np.int64), texts, "", *tags(rows))


def _closed_split(rows: list[LabelledRow], number: Callable[[LabelledRow], int]) -> Split:
    """Closed questions; `number` gives the answer number of a row's label."""
    truth = np.array([number(row) for row in rows], dtype=np.int64)
    return Split(tuple(row.question for row in rows), truth, (), "", *tags(rows))


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
