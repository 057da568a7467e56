"""predictions.csv: every student's answer to every test question, in each seed."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steelyard.errors import InputError
from steelyard.io.atomic import write_text
from steelyard.types import Floats

PREDICTIONS = "predictions.csv"
FIXED = ("arm", "seed", "id", "truth", "answer", "right")
PROBABILITY = "p:"


@dataclass(frozen=True, eq=False)
class Predicted:
    """One student's answers in one seed."""

    arm: str
    seed: int
    answers: tuple[str, ...]  # (N,), empty where it could not be read; tied ones between ` | `
    right: Floats  # (N,), 1, 0, or 1/k where the truth is one of k tied answers
    probs: Floats  # (N, K), or (N, 0) of open answers


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """All students' answers to the same N test questions."""

    ids: tuple[str, ...]
    truth: tuple[str, ...]
    classes: tuple[str, ...]
    students: tuple[Predicted, ...]


def write_predictions(table: PredictionTable, path: Path) -> None:
    """Write the table: a row for each arm, seed and question; probabilities in `p:CLASS`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIXED, *(PROBABILITY + name for name in table.classes)])
    for student in table.students:
        rows = zip(
            table.ids, table.truth, student.answers, student.right, student.probs, strict=True
        )
        writer.writerows(
            (student.arm, student.seed, *row[:3], *(f"{p:.9g}" for p in (row[3], *row[4])))
            for row in rows
        )
    write_text(path, text.getvalue())


def read_predictions(path: Path) -> PredictionTable:
    """The table of a finished study.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        return _table(header, rows)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); run the study again, which reuses what is "
            "stored."
        ) from error
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} is damaged ({error}); run the study again.") from error


def _table(header: Sequence[str], rows: Sequence[list[str]]) -> PredictionTable:
    width = len(FIXED)
    if tuple(header[:width]) != FIXED:
        raise ValueError(f"its columns must begin with {', '.join(FIXED)}")
    groups: dict[tuple[str, int], list[list[str]]] = {}
    for row in rows:
        groups.setdefault((row[0], int(row[1])), []).append(row)
    first = next(iter(groups.values()), [])
    ids = tuple(row[2] for row in first)
    students = []
    for (arm, seed), part in groups.items():
        if tuple(row[2] for row in part) != ids:
            raise ValueError(f"`{arm}`, seed {seed}, has other test rows than the first arm")
        probs = np.array([row[width:] for row in part], dtype=np.float64)
        right = np.array([row[5] for row in part], dtype=np.float64)
        students.append(Predicted(arm, seed, tuple(row[4] for row in part), right, probs))
    classes = tuple(name.removeprefix(PROBABILITY) for name in header[width:])
    return PredictionTable(ids, tuple(row[3] for row in first), classes, tuple(students))


def arms_of(table: PredictionTable) -> tuple[str, ...]:
    """Names of the arms, in the order of the file."""
    names: Iterable[str] = (student.arm for student in table.students)
    return tuple(dict.fromkeys(names))
