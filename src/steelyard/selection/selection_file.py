"""A selection as a file, `id, label` or `id, targets` and `weight`: the input of `train`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.io.rows import LocatedRow, Row, read_rows
from steelyard.prompts import AnswerFormat, spelling
from steelyard.types import Floats, Question, Selection, one_hot
from steelyard.types.arrays import leaders

NOT_SELECTED = "not in the selection file"


def read_selection(
    path: Path, questions: Sequence[Question], classes: tuple[str, ...] | None
) -> tuple[Selection, tuple[str, ...]]:
    """A file of `id, label` or `id, targets`, and optionally `weight`, joined to the questions.

    Questions without a row are dropped. Labels are class names or numbers.

    Args:
        path: JSON lines, CSV or Parquet.
        questions: N that may be selected.
        classes: names of the answers; None takes them from the labels.

    Raises:
        InputError: an unknown or repeated id, an invalid label or weight, nothing kept.
    """
    rows = list(read_rows(path))
    names = classes or _names(path, rows)
    numbers = {name: i for i, name in enumerate(names)}
    targets = np.full((len(questions), len(names)), 1 / len(names))

    def read_target(location: str, row: Row, i: int) -> None:
        targets[i] = _target(location, row, numbers)

    weights, reasons = _join(path, rows, questions, read_target)
    labels = leaders(targets[weights > 0])
    if labels[0].max() == 1 and (labels == labels[0]).all():
        raise InputError(
            f"{path.name} keeps {int((weights > 0).sum())} examples, all with the label "
            f"{names[labels[0].argmax()]!r}; a student cannot learn from one class. "
            "Keep others too."
        )
    return Selection(tuple(q.id for q in questions), targets, weights, reasons), names


def read_open_selection(
    path: Path, questions: Sequence[Question], answer_format: AnswerFormat | None = None
) -> tuple[Selection, tuple[Question, ...]]:
    """A file of `id, label` and optionally `weight`, where a label is the text of an answer.

    Args:
        path: JSON lines, CSV or Parquet.
        questions: N open ones that may be selected.
        answer_format: format of the labels; slots are written in their canonical spelling.

    Returns:
        The selection, and the questions with the answer as their only candidate.

    Raises:
        InputError: an unknown or repeated id, a label that is no text, an invalid weight, nothing
            kept.
    """
    answered = [replace(question, choices=("",)) for question in questions]

    def read_answer(location: str, row: Row, i: int) -> None:
        label = row.get("label")
        text = str(label).strip() if isinstance(label, str | int | float) else ""
        if not text or isinstance(label, bool):
            raise InputError(
                f"{location}: label {label!r} must be the text of an answer. Correct it."
            )
        answered[i] = replace(questions[i], choices=(spelling(text, answer_format),))

    weights, reasons = _join(path, read_rows(path), questions, read_answer)
    ids = tuple(question.id for question in questions)
    return Selection(ids, np.ones((len(ids), 1)), weights, reasons), tuple(answered)


def _join(
    path: Path,
    rows: Iterable[LocatedRow],
    questions: Sequence[Question],
    read_label: Callable[[str, Row, int], None],
) -> tuple[Floats, tuple[str, ...]]:
    """Weights of mean 1 over the kept questions, (N,), and why the others are dropped, (N,).

    `read_label` is called with each row, its location and the number of its question.
    """
    numbers = {question.id: i for i, question in enumerate(questions)}
    weights = np.zeros(len(questions))
    reasons = [NOT_SELECTED] * len(questions)
    for location, row in rows:
        if "id" not in row:
            raise InputError(f"{location}: column `id` is missing, found {', '.join(row)}.")
        i = numbers.get(str(row["id"]))
        if i is None:
            raise InputError(
                f"{location}: id {row['id']!r} is not among the {len(numbers)} questions."
            )
        if reasons[i] != NOT_SELECTED:
            raise InputError(f"{location}: id {row['id']!r} stands twice in the selection.")
        read_label(location, row, i)
        weights[i] = _weight(location, row)
        reasons[i] = "" if weights[i] > 0 else "weight 0"
    if not (weights > 0).any():
        raise InputError(f"{path.name} keeps no example: every weight is 0. Nothing can be learnt.")
    weights = weights / weights.max()  # so that their sum is finite
    return weights / weights[weights > 0].mean(), tuple(reasons)


def _names(path: Path, rows: Sequence[LocatedRow]) -> tuple[str, ...]:
    """The classes that the labels name. A row without a label is refused where it is read."""
    labels: set[str] = set()
    for location, row in rows:
        label = row.get("label")
        if label is not None and label != "":
            if isinstance(label, bool) or not isinstance(label, str | int):
                raise InputError(
                    f"{location}: label {label!r} must be a class name or a whole number. "
                    "Correct it."
                )
            labels.add(str(label))
    if len(labels) < 2:
        raise InputError(
            f"{path.name} has the labels {sorted(labels)}; a `label` column with at least two "
            "classes is needed."
        )
    return tuple(sorted(labels))


def _target(location: str, row: Row, numbers: dict[str, int]) -> Any:
    if row.get("targets") is not None:
        try:
            target = np.asarray(row["targets"], dtype=np.float64)
        except (TypeError, ValueError):  # texts, or lists in the list
            target = np.zeros(0)
        bad = target.shape != (len(numbers),) or (target < 0).any()
        if bad or not abs(target.sum() - 1) <= 1e-6:
            raise InputError(
                f"{location}: `targets` must be {len(numbers)} probabilities that sum to 1, "
                f"got {row['targets']}."
            )
        return target
    label = row.get("label")
    number = numbers.get(str(label), label)
    if isinstance(number, str) and number.isdecimal() and len(number) < 10:
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(numbers):
        raise InputError(
            f"{location}: label {label!r} is neither a class ({', '.join(numbers)}) nor a number "
            f"in [0, {len(numbers)})."
        )
    return one_hot(np.array([number]), len(numbers))[0]


def _weight(location: str, row: Row) -> float:
    given = row.get("weight", 1.0)
    try:
        weight = float(given)
    except (TypeError, ValueError):
        weight = float("nan")
    if not (np.isfinite(weight) and weight >= 0):
        raise InputError(f"{location}: weight {given!r} is not a finite number >= 0.")
    return weight
