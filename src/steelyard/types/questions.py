"""What is asked and what is true: questions, splits of a data set, pairs of answers."""

from dataclasses import dataclass
from hashlib import blake2b

from steelyard.errors import InputError
from steelyard.types.arrays import Ints

PAIR = ("first", "second")
"""Names of a preference's two answers: where they stand, which says nothing of their worth."""


def chosen_place(name: str) -> int:
    """Where the chosen answer of a preference row stands, 0 or 1: a coin that its id alone throws.

    >>> [chosen_place(name) for name in ("a", "b", "c", "d", "e", "f")]
    [0, 0, 1, 1, 1, 0]
    """
    return blake2b(b"pair " + name.encode(), digest_size=1).digest()[0] & 1


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked.

    `choices` are the options of a multiple-choice question. Classification shares one list of
    classes (`Task.classes`), open answers have none: both leave `choices` empty.
    """

    id: str
    text: str
    choices: tuple[str, ...] = ()
    context: str = ""


@dataclass(frozen=True, eq=False)
class Split:
    """Questions with their true answers, kept apart so that truth is handed over on purpose.

    Closed questions have answer numbers. Open ones have the true text in `reference_texts`, and
    `truth` is all 0: the number of that text in a list of its own.
    """

    questions: tuple[Question, ...]
    truth: Ints  # (N,), answer numbers
    reference_texts: tuple[
        str, ...
    ] = ()  # (N,), true texts of open questions; empty for closed ones

    def __post_init__(self) -> None:
        if self.reference_texts and len(self.reference_texts) != len(self.questions):
            raise InputError(
                f"`reference_texts` must have one text per question, {len(self.questions)}; "
                f"got {len(self.reference_texts)}."
            )
        if self.truth.shape != (len(self.questions),):
            raise InputError(
                f"`truth` must have one answer per question, ({len(self.questions)},); "
                f"got {self.truth.shape}."
            )

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(question.id for question in self.questions)


@dataclass(frozen=True, eq=False)
class Task:
    """A data set in three disjoint splits (Burns et al. 2023, arXiv:2312.09390, section 3)."""

    name: str
    kind: str  # "classification", "multiple_choice", "preference" or "generation"
    classes: tuple[str, ...]  # names; of multiple choice the option numbers "0", "1"; PAIR of pairs
    weak_train: Split  # truth is used: it makes the weak supervisors
    strong_train: Split  # truth is hidden: the student learns from votes
    test: Split

    @property
    def num_classes(self) -> int:
        """K, the number of classes or the largest number of options."""
        return len(self.classes)
