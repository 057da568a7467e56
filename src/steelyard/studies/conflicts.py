"""What draws a student away from the truth: rows of another task, and the truth to oppose."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from steelyard.data import read_labelled, take
from steelyard.data.normalize_text import full_text, normal_form
from steelyard.errors import InputError
from steelyard.objectives import BaseObjective
from steelyard.types import Floats, Question, Split, one_hot

if TYPE_CHECKING:
    from steelyard.studies.run import Run


class Mix(BaseModel):
    """Rows of another task with their true labels, for implicit conflict.

    Source: Yang et al. 2024, arXiv:2406.11431 (4,000 pairs about helpfulness beside those about
        harmlessness).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: str = Field(min_length=1)
    """File of labelled rows, with the columns and the classes of the study's task."""
    rows: int = Field(ge=1)
    """Number of rows that are drawn from it, others in each seed."""


def mixed_rows(run: "Run", seed: int, mix: Mix) -> Split:
    """The drawn rows of another task, with ids of their own.

    Raises:
        InputError: the file does not fit the study's task, has too few rows or more options than
            the study's questions, or a text of the test rows.
    """
    return run.once(("mix", seed, mix), lambda: _drawn(run, seed, mix))


def _drawn(run: "Run", seed: int, mix: Mix) -> Split:
    path = run.base / mix.train
    rows = run.once(("mix", mix.train), lambda: _read(run, path))
    if len(rows.truth) < mix.rows:
        raise InputError(
            f"`mix` draws {mix.rows:,} rows, and {path.name} has {len(rows.truth):,}; lower "
            "`mix.rows`, or give a larger file."
        )
    order = np.random.default_rng([seed, 8]).permutation(len(rows.truth))
    return take(rows, order[: mix.rows])


def _read(run: "Run", path: Path) -> Split:
    classes = run.source.classes
    settings = run.study.data
    columns = {**settings.columns, **({"pair": settings.pair} if settings.pair else {})}
    split = read_labelled(run.study.task, path, classes, columns)
    for question in split.questions:
        if len(question.choices) > len(classes) > 0:
            raise InputError(
                f"{path.name}: row {question.id!r} has {len(question.choices)} options, and the "
                f"study's questions have at most {len(classes)}; remove such rows from `mix`."
            )
    tested = {_normal(question) for question in run.source.test.questions}
    for question in split.questions:
        if _normal(question) in tested:
            raise InputError(
                f"{path.name}: the text of row {question.id!r} is also a test row; `mix` is of "
                "another task, remove the row."
            )
    questions = tuple(replace(question, id=f"mix/{question.id}") for question in split.questions)
    return replace(split, questions=questions)


def _normal(question: Question) -> str:
    """Everything that is asked, in a normal form in which the order of options does not count."""
    return normal_form(full_text(replace(question, choices=tuple(sorted(question.choices)))))


def opposed_truth(run: "Run", seed: int, objective: BaseObjective, num_classes: int) -> Floats:
    """True answers of strong_train that an objective opposes, (N, K).

    It opposes its `opposed_share` of the rows, drawn at random, at least one; others are rows of
    zeros.
    """
    truth, share = run.task(seed).strong_train.truth, objective.opposed_share
    drawn = np.random.default_rng([seed, 9]).permutation(len(truth))
    opposed = one_hot(truth, num_classes)
    opposed[drawn[max(1, round(share * len(truth))) :]] = 0.0
    return opposed
