"""A selection as a file, `id, label` or `id, targets` and `weight`: what `train` reads."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.errors import InputError
from steelyard.io.rows import read_rows
from steelyard.prompts import AnswerFormat, spelling
from steelyard.types import Question, Selection, one_hot


def read_selection(
    path: Path, questions: Sequence[Question], classes: tuple[str, ...] | None
) -> tuple[Selection, tuple[str, ...]]:
    """A file of `id, label` or `id, targets`, and optionally `weight`, joined to the questions.

    Questions without a row are left out. Labels are class names or numbers.

    Args:
        path: JSON lines, CSV or Parquet.
        questions: N that may be selected.
        classes: names of the answers; None takes them from the labels.

    Raises:
        InputError: an unknown or repeated id, a label or weight that cannot be, nothing kept.
    """
    rows = list(read_rows(path))
    place_of = {question.id: i for i, question in enumerate(questions)}
    names = classes or _names(path, rows)
    numbers = {name: i for i, name in enumerate(names)}
    targets = np.full((len(questions), len(names)), 1 / len(names))
    weights = np.zeros(len(questions))
    reasons = ["not in the selection file"] * len(questions)
    for place, row in rows:
        i = _row_of(place, row, place_of)
        if not reasons[i].startswith("not in"):
            raise InputError(f"{place}: id {row['id']!r} stands twice in the selection.")
        targets[i] = _target(place, row, numbers)
        weights[i] = _weight(place, row)
        reasons[i] = "" if weights[i] > 0 else "weight 0"
    scaled = _scaled(path, weights)
    labels = np.unique(targets[weights > 0].argmax(axis=1))
    if len(labels) == 1:
        raise InputError(
            f"{path.name} keeps {int((weights > 0).sum())} examples, all with the label "
            f"{names[labels[0]]!r}; a student cannot learn from one class. Keep others too."
        )
    ids = tuple(question.id for question in questions)
    return Selection(ids, targets, scaled, tuple(reasons)), names


def read_open_selection(
    path: Path, questions: Sequence[Question], reader: AnswerFormat | None = None
) -> tuple[Selection, tuple[Question, ...]]:
    """A file of `id, label` and optionally `weight`, where a label is the answer to be learnt.

    Args:
        path: JSON lines, CSV or Parquet.
        questions: N open ones that may be selected.
        reader: of the labels; slots are taught in their one spelling.

    Returns:
        The selection, and the questions with the answer as their only candidate.

    Raises:
        InputError: an unknown or repeated id, a label that is no text, a weight that cannot be,
            nothing kept.
    """
    place_of = {question.id: i for i, question in enumerate(questions)}
    weights = np.zeros(len(questions))
    reasons = ["not in the selection file"] * len(questions)
    taught = [replace(question, choices=("",)) for question in questions]
    for place, row in read_rows(path):
        i = _row_of(place, row, place_of)
        if not reasons[i].startswith("not in"):
            raise InputError(f"{place}: id {row['id']!r} stands twice in the selection.")
        label = row.get("label")
        text = str(label).strip() if isinstance(label, str | int | float) else ""
        if not text or isinstance(label, bool):
            raise InputError(f"{place}: label {label!r} must be the text of an answer. Correct it.")
        taught[i] = replace(questions[i], choices=(spelling(text, reader),))
        weights[i] = _weight(place, row)
        reasons[i] = "" if weights[i] > 0 else "weight 0"
    ids = tuple(question.id for question in questions)
    scaled = _scaled(path, weights)
    return Selection(ids, np.ones((len(ids), 1)), scaled, tuple(reasons)), tuple(taught)


def _scaled(path: Path, weights: Any) -> Any:
    """Weights of mean 1 over the kept."""
    if not (weights > 0).any():
        raise InputError(f"{path.name} keeps no example: every weight is 0. Nothing can be learnt.")
    weights = weights / weights.max()  # so that their sum is finite
    return weights / weights[weights > 0].mean()


def _names(path: Path, rows: Sequence[tuple[str, dict[str, Any]]]) -> tuple[str, ...]:
    """The classes that the labels name. A row without a label is refused where it is read."""
    labels: set[str] = set()
    for place, row in rows:
        label = row.get("label")
        if label is not None and label != "":
            if isinstance(label, bool) or not isinstance(label, str | int):
                raise InputError(
                    f"{place}: label {label!r} must be a class name or a whole number. Correct it."
                )
            labels.add(str(label))
    if len(labels) < 2:
        raise InputError(
            f"{path.name} has the labels {sorted(labels)}; a `label` column with at least two "
            "classes is needed."
        )
    return tuple(sorted(labels))


def _row_of(place: str, row: dict[str, Any], place_of: dict[str, int]) -> int:
    if "id" not in row:
        raise InputError(f"{place}: column `id` is missing, found {', '.join(row)}.")
    if str(row["id"]) not in place_of:
        raise InputError(f"{place}: id {row['id']!r} is not among the {len(place_of)} questions.")
    return place_of[str(row["id"])]


def _target(place: str, row: dict[str, Any], numbers: dict[str, int]) -> Any:
    if row.get("targets") is not None:
        try:
            target = np.asarray(row["targets"], dtype=np.float64)
        except (TypeError, ValueError):  # words, or lists in the list
            target = np.zeros(0)
        bad = target.shape != (len(numbers),) or (target < 0).any()
        if bad or not abs(target.sum() - 1) <= 1e-6:
            raise InputError(
                f"{place}: `targets` must be {len(numbers)} probabilities that sum to 1, "
                f"got {row['targets']}."
            )
        return target
    label = row.get("label")
    number = numbers.get(str(label), label)
    if isinstance(number, str) and number.isdecimal() and len(number) < 10:
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(numbers):
        raise InputError(
            f"{place}: label {label!r} is neither a class ({', '.join(numbers)}) nor a number "
            f"in [0, {len(numbers)})."
        )
    return one_hot(np.array([number]), len(numbers))[0]


def _weight(place: str, row: dict[str, Any]) -> float:
    given = row.get("weight", 1.0)
    try:
        weight = float(given)
    except (TypeError, ValueError):
        weight = float("nan")
    if not (np.isfinite(weight) and weight >= 0):
        raise InputError(f"{place}: weight {given!r} is not a finite number >= 0.")
    return weight
