"""What is labelled: questions of a file, what they ask, and the labelled rows beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from steelyard.data import read_labelled, read_questions
from steelyard.data.labels import LabelledRow as LabelledRow
from steelyard.data.labels import find_classes, read_names
from steelyard.data.row_fields import RowParser
from steelyard.errors import ConfigError, InputError
from steelyard.io.rows import is_csv, read_rows, stem
from steelyard.types import Question, Split
from steelyard.types.task_kinds import KINDS, Kind, recognise


@dataclass(frozen=True, eq=False)
class Items:
    """Questions to be labelled."""

    kind: Kind
    questions: tuple[Question, ...]
    classes: tuple[str, ...]  # names; of multiple choice option numbers, of open answers none
    labelled: Split | None = None  # what supervisors are trained on


def read_items(
    data: Path,
    *,
    task: str | None = None,
    classes: tuple[str, ...] | None = None,
    labelled: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Items:
    """Questions of a file; labels in it are not looked at.

    Args:
        data: the questions.
        task: what they ask; None takes it from the columns: `choices` is multiple choice, `text`
            classification, `chosen` preference, `prompt` generation.
        classes: names of the classes; None takes `labels.json` beside the data, else the labels
            of `labelled`.
        labelled: rows with their true labels.
        columns: our field name -> the files' column name.

    Raises:
        InputError: a file or a row does not fit.
        ConfigError: the task is unknown, or classification without classes.
    """
    columns = dict(columns or {})
    kind = _kind(data, task, columns)
    questions = read_questions(kind, data, columns)
    if KINDS[kind].has_classes:
        classes = classes or read_names(data.parent)
        if classes is None and labelled is not None:
            classes = _classes_of(kind, labelled, columns)
        if classes is None:
            raise ConfigError(
                f"The classes are not known: give `classes: [...]` in the supervisor's file, or "
                f"labels.json beside {data.name}, or labelled rows with --labelled."
            )
    else:
        classes = KINDS[kind].names(questions)
    split = None
    if labelled is not None:
        split = read_labelled(kind, labelled, classes, columns)
        classes = (
            classes
            if KINDS[kind].has_classes
            else KINDS[kind].names((*questions, *split.questions))
        )
    return Items(kind, questions, classes, split)


def _kind(data: Path, task: str | None, columns: Mapping[str, str]) -> Kind:
    if task is not None:
        if task not in KINDS:
            raise ConfigError(f"`--task` must be one of {', '.join(get_args(Kind))}; got {task!r}.")
        return KINDS[task].name
    place, row = next(iter(read_rows(data)))
    kind = recognise(row, columns)
    if kind is not None:
        return kind
    raise InputError(
        f"{place}: the columns {', '.join(map(repr, list(row)[:20]))} do not tell the task. "
        "Classification has `text`, multiple choice `question, choices`, a preference `prompt, "
        "chosen, rejected`, generation `prompt`; "
        "other names are given with --column, such as --column text=sentence."
    )


def _classes_of(kind: Kind, labelled: Path, columns: dict[str, str]) -> tuple[str, ...]:
    names = read_names(labelled.parent)
    if names is not None:
        return names
    reader = RowParser(kind, stem(labelled), columns, 1_000_000, is_csv(labelled))
    rows = []
    for number, (place, row) in enumerate(read_rows(labelled), start=1):
        question = reader.question(row, place, number)
        rows.append(LabelledRow(place, question, reader.label(row, place, question.id)))
    return find_classes(rows, reader.from_csv).names
