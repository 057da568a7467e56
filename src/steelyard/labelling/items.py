"""The items to label: questions of a file, what they ask, and labelled rows to train on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from steelyard.data import read_class_names, read_labelled, read_questions
from steelyard.data.labels import read_names
from steelyard.errors import ConfigError, InputError
from steelyard.io.rows import read_rows
from steelyard.types import PAIR, Question, Split
from steelyard.types.task_kinds import KINDS, Kind, recognise


@dataclass(frozen=True, eq=False)
class Items:
    """Questions to be labelled."""

    kind: Kind
    questions: tuple[Question, ...]
    classes: tuple[str, ...]  # names; option numbers for multiple choice, none for open answers
    labelled: Split | None = None  # rows that supervisors are trained on
    salt: str = ""  # of the positions of preferred answers


def read_items(
    data: Path,
    *,
    task: str | None = None,
    classes: tuple[str, ...] | None = None,
    labelled: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Items:
    """Questions of a file; labels in it are not read.

    Args:
        data: file of the questions.
        task: what they ask; None takes it from the columns: `choices` is multiple choice, `text`
            classification, `chosen` preference, `prompt` generation.
        classes: names of the classes; None takes `labels.json` beside the data, else the labels
            of `labelled`.
        labelled: file of rows with their true labels.
        columns: our field name -> the files' column name.

    Raises:
        InputError: a file or a row does not fit.
        ConfigError: the task is unknown, or a classification has no classes.
    """
    columns = dict(columns or {})
    kind = _kind(data, task, columns)
    pairs = read_labelled(kind, data, PAIR, columns) if KINDS[kind].is_pair else None
    questions = pairs.questions if pairs else read_questions(kind, data, columns)
    salt = pairs.salt if pairs else ""
    if not KINDS[kind].has_classes:
        classes = KINDS[kind].names(questions)
    elif not classes:
        classes = read_names(data.parent)
        if classes is None and labelled is not None:
            classes = read_class_names(kind, labelled, columns)
        if classes is None:
            raise ConfigError(
                "The classes are not known: give `classes: [...]` in the supervisor's file, or "
                f"labels.json beside {data.name}, or labelled rows as `labelled`."
            )
    if labelled is None:
        return Items(kind, questions, classes, salt=salt)
    split = read_labelled(kind, labelled, classes, columns)
    if not KINDS[kind].has_classes:
        classes = KINDS[kind].names((*questions, *split.questions))
    return Items(kind, questions, classes, split, salt)


def _kind(data: Path, task: str | None, columns: Mapping[str, str]) -> Kind:
    if task is not None:
        if task not in KINDS:
            raise ConfigError(f"`task` must be one of {', '.join(get_args(Kind))}; got {task!r}.")
        return KINDS[task].name
    location, row = next(iter(read_rows(data)))
    kind = recognise(row, columns)
    if kind is not None:
        return kind
    raise InputError(
        f"{location}: the columns {', '.join(map(repr, list(row)[:20]))} do not show the task. "
        "Classification has `text`, multiple choice `question, choices`, a preference `prompt, "
        "chosen, rejected`, generation `prompt`; give other names as `columns`, such as "
        "text=sentence."
    )
