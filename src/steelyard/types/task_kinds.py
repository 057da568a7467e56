"""The kinds of task, in one table; no other module compares names of kinds.

A new kind is a name and an entry here, and prompt templates.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from steelyard.errors import ConfigError
from steelyard.types.questions import PAIR, Question

Kind: TypeAlias = Literal["classification", "multiple_choice", "preference", "generation"]
"""Name of a kind of task."""

AnswerForm: TypeAlias = Literal["classes", "options", "pair", "texts"]
"""One list of classes for all questions, options of each question, two answers of which one is
better, or open answers."""


@dataclass(frozen=True)
class TaskKind:
    """What the rows of a kind of task hold and how they are answered."""

    name: Kind
    form: AnswerForm
    question: str  # column of the question's text
    column: str  # column by which a file of such questions is recognised

    @property
    def is_open(self) -> bool:
        """Whether answers are texts: there are neither classes nor options."""
        return self.form == "texts"

    @property
    def is_pair(self) -> bool:
        """Whether the better of two answers is wanted."""
        return self.form == "pair"

    @property
    def has_classes(self) -> bool:
        """Whether all questions have one list of classes."""
        return self.form == "classes"

    @property
    def has_options(self) -> bool:
        """Whether each question has its own numbered options."""
        return self.form == "options"

    @property
    def has_choices(self) -> bool:
        """Whether each question has its own list of answers to choose from."""
        return self.form in ("options", "pair")

    def names(self, questions: Collection[Question]) -> tuple[str, ...]:
        """Names of the answers where the task does not give them: PAIR, option numbers, none."""
        if self.is_pair:
            return PAIR
        most = max((len(question.choices) for question in questions), default=0)
        return tuple(str(i) for i in range(most)) if self.has_options else ()


KINDS: Mapping[str, TaskKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            TaskKind("multiple_choice", "options", question="question", column="choices"),
            TaskKind("classification", "classes", question="text", column="text"),
            TaskKind("preference", "pair", question="prompt", column="chosen"),
            TaskKind("generation", "texts", question="prompt", column="prompt"),
        )
    }
)
"""Every kind by its name, in the order in which the columns of a file are looked at."""


def recognise(
    columns: Collection[str],
    renamed: Mapping[str, str] | None = None,
    forms: Collection[AnswerForm] = ("classes", "options", "pair", "texts"),
) -> Kind | None:
    """The kind of task that a file's columns show; None if they show none.

    Args:
        columns: names of the file's columns.
        renamed: our field name -> the file's column name.
        forms: allowed forms of answers; if only one kind has them, columns are not checked.
    """
    kinds = [kind for kind in KINDS.values() if kind.form in forms]
    if len(kinds) == 1:
        return kinds[0].name
    for kind in kinds:
        if (renamed or {}).get(kind.column, kind.column) in columns:
            return kind.name
    return None


def refuse_kind(kind: str, forms: Collection[AnswerForm], what: str, instead: str) -> None:
    """Raise ConfigError "{what}, and the task is {kind}; use {instead}." for other answer forms."""
    if KINDS[kind].form not in forms:
        raise ConfigError(f"{what}, and the task is {kind}; use {instead}.")
