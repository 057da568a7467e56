"""The files of a data set, opened: rows that are read when they are asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from steelyard.data.hub import class_names, open_hub, table_rows
from steelyard.data.labels import LabelledRow, read_names
from steelyard.data.preference_rows import PairRows, read_pairs, row_tags
from steelyard.data.row_fields import RowParser
from steelyard.data.settings import Data
from steelyard.errors import InputError
from steelyard.io.files import check_file
from steelyard.io.rows import LocatedRow, is_csv, read_rows, stem
from steelyard.types.task_kinds import KINDS, Kind


@dataclass(frozen=True)
class SourceFile:
    """Rows of one split, and how they are read."""

    rows: Iterable[LocatedRow]
    parser: RowParser

    def read(self) -> list[LabelledRow]:
        parser, labelled = self.parser, []
        for number, (location, row) in enumerate(self.rows, start=1):
            question = parser.question(row, location, number)
            label = parser.label(row, location, question.id)
            tagged = row_tags(parser, row, location, question.id)
            labelled.append(LabelledRow(location, question, label, parser.from_csv, *tagged))
        return labelled

    def read_pairs(self) -> PairRows:
        return read_pairs(self.rows, self.parser)


@dataclass(frozen=True)
class Opened:
    """The files of a data set, opened."""

    name: str
    names: tuple[str, ...] | None  # of the classes; None: the labels name them
    train: SourceFile
    tests: dict[str, SourceFile]  # by the name of the test set

    def read_pairs(self) -> list[PairRows]:
        """Pairs of train and of each test set."""
        return [file.read_pairs() for file in (self.train, *self.tests.values())]


def open_file(kind: Kind, path: Path, columns: Mapping[str, str] | None) -> SourceFile:
    """One file of rows; relative names of columns as in `Data.columns`."""
    parser = RowParser(kind, stem(path), dict(columns or {}), from_csv=is_csv(path))
    return SourceFile(read_rows(path), parser)


def open_files(kind: Kind, data: Data, base: Path) -> Opened:
    """The files of `data.train` and `data.test`; relative paths start from `base`.

    Raises:
        InputError: a file does not exist, or files have different `labels.json`.
    """
    assert data.train is not None
    train, tests = base / data.train, {n: base / file for n, file in data.test_sets.items()}
    _check_there("train", train, base)
    for name, path in tests.items():
        _check_there("test" if len(tests) == 1 else f"test.{name}", path, base)
    stems = {"train": stem(train), **{name: stem(path) for name, path in tests.items()}}
    if len(set(stems.values())) < len(stems):
        stems = {name: name for name in stems}
    names = _class_names(train, tests.values()) if KINDS[kind].has_classes else None
    folder = train.resolve().parent.name
    return Opened(
        folder if folder and stem(train).startswith("train") else stem(train),
        names,
        SourceFile(read_rows(train), _parser(kind, data, stems["train"], is_csv(train))),
        {
            name: SourceFile(read_rows(path), _parser(kind, data, stems[name], is_csv(path)))
            for name, path in tests.items()
        },
    )


def open_hub_files(kind: Kind, data: Data, base: Path) -> Opened:
    """The splits of a data set of the Hub; see `hub.open_hub`."""
    assert data.hub is not None
    assert data.train is not None
    names, files = None, []
    for split in (data.train, *data.test_sets.values()):
        table = open_hub(data, split, base)
        parser = _parser(kind, data, split, False)
        if KINDS[kind].has_classes:
            names = names or class_names(table, parser.column("label"))
        files.append(SourceFile(table_rows(table, f"{data.hub} {split}"), parser))
    name = Path(data.hub).name + (f"-{data.subset}" if data.subset else "")
    return Opened(name, names, files[0], dict(zip(data.test_sets, files[1:], strict=True)))


def _parser(kind: Kind, data: Data, name: str, from_csv: bool) -> RowParser:
    limits = data.max_characters, from_csv
    return RowParser(kind, name, data.all_columns, *limits, data.instruction, data.group_size)


def _class_names(train: Path, tests: Iterable[Path]) -> tuple[str, ...] | None:
    """Names of the `labels.json` next to train, which no other may contradict."""
    names = read_names(train.parent)
    for test in tests:
        others = read_names(test.parent)
        if others is not None and others != names:
            raise InputError(
                f"{test.parent / 'labels.json'} must be the same as the one next to {train}; "
                f"got {list(others)} and {list(names or ())}. Keep one and copy it."
            )
    return names


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
