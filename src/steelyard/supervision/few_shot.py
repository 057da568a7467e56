"""Examples with their answers in front of a question: given, or drawn from weak_train."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from steelyard.errors import ConfigError
from steelyard.models.lm.chat_template import Shots
from steelyard.prompts import AnswerFormat, PromptSettings, spelling
from steelyard.types import Question, Split
from steelyard.types.task_kinds import KINDS


class Example(BaseModel):
    """A question and its answer, written in a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    """The text, question or prompt."""
    answer: str
    """A class name, the text of the right option or better answer, or the answer."""
    choices: tuple[str, ...] = ()
    """The options, where each question has its own."""


class Solved(NamedTuple):
    """A question and what is right: the number of a candidate, or a text."""

    question: Question
    answer: int | str


def solved_examples(
    examples: int | tuple[Example, ...],
    labelled: Split,
    kind: str,
    classes: Sequence[str],
    seed: int,
) -> list[Solved]:
    """Written examples as they are, or so many rows of weak_train.

    Rows are drawn by the seed, an equal number of each answer as far as there are enough.

    Raises:
        ConfigError: weak_train has fewer rows, or a written answer is none of the candidates.
    """
    if not isinstance(examples, int):
        return [_written(n, example, kind, classes) for n, example in enumerate(examples)]
    if examples > len(labelled.questions):
        raise ConfigError(
            f"`examples: {examples}`, but there are {len(labelled.questions)} labelled rows; lower "
            "it, or give more rows (`weak_train` of a study, `labelled` of `label`)."
        )
    rows = balanced_rows(labelled, examples, seed)
    if KINDS[kind].is_open:
        return [Solved(labelled.questions[i], labelled.reference_texts[i]) for i in rows]
    return [Solved(labelled.questions[i], int(labelled.truth[i])) for i in rows]


def balanced_rows(labelled: Split, count: int, seed: int) -> list[int]:
    """Rows in a random order, one of each answer after another while there are more."""
    rng = np.random.default_rng([seed, 5])
    order = rng.permutation(len(labelled.questions))
    if labelled.reference_texts:
        return [int(row) for row in order[:count]]
    truth = labelled.truth[order]
    turn = np.zeros(len(order), dtype=np.int64)  # how many rows of the same answer come before
    for answer in np.unique(truth):
        turn[truth == answer] = np.arange((truth == answer).sum())
    chosen = np.lexsort((np.arange(len(order)), turn))[:count]
    return [int(row) for row in rng.permutation(order[chosen])]


def shots_of(
    solved: Sequence[Solved],
    asking: PromptSettings,
    kind: str,
    classes: Sequence[str],
    seed: int,
    answer_format: AnswerFormat | None,
) -> dict[str, Shots]:
    """The examples as prompts of each query, with their answers, by the query's name."""
    shots: dict[str, Shots] = {}
    for q, name in enumerate(asking.query_names(kind) if solved else ()):
        asked = [asking.ask(example.question, kind, classes, q, seed) for example in solved]
        answers = [
            f" {spelling(example.answer, answer_format)}"
            if isinstance(example.answer, str)
            else prompt.answers[example.answer]
            for example, prompt in zip(solved, asked, strict=True)
        ]
        shots[name] = tuple(zip((prompt.prompt for prompt in asked), answers, strict=True))
    return shots


def _written(number: int, example: Example, kind: str, classes: Sequence[str]) -> Solved:
    question = Question(f"example-{number}", example.item, example.choices)
    if KINDS[kind].is_open:
        return Solved(question, example.answer)
    names = list(classes if KINDS[kind].has_classes else example.choices)
    if example.answer not in names:
        raise ConfigError(
            f"`examples`: the answer {example.answer!r} of example {number + 1} is none of "
            f"{', '.join(names) or 'its `choices`, which are missing'}."
        )
    return Solved(question, names.index(example.answer))
