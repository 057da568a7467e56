"""Questions, splits of a data set with their true answers, and tasks."""

from dataclasses import dataclass
from hashlib import blake2b

from steelyard.errors import InputError
from steelyard.types.arrays import Ints

PAIR = ("first", "second")
"""Names of the two answers of a preference question: their positions, which are random."""


def chosen_position(name: str, salt: str) -> int:
    """Position of the chosen answer of a preference row, 0 or 1: a random bit.

    It is made of the row's id and of a salt that is kept with the truth: without the salt neither
    ids nor the order of the rows tell which answer is the better one.

    >>> [chosen_position(name, "salt") for name in ("a", "b", "c", "d", "e", "f")]
    [1, 1, 1, 1, 0, 1]
    """
    key = f"pair {len(salt)} {salt} {name}".encode()
    return blake2b(key, digest_size=1).digest()[0] & 1


@dataclass(frozen=True, slots=True)
class Question:
    """An example to be labelled.

    Attributes:
        id: its name, unique in a data set.
        text: the text to classify, or the question.
        choices: options of a multiple-choice question; empty for classification, whose classes
            are `Task.classes`, and for open answers.
        context: a text that belongs to the question, or empty.
    """

    id: str
    text: str
    choices: tuple[str, ...] = ()
    context: str = ""


@dataclass(frozen=True, slots=True)
class PairQuestion(Question):
    """Two texts that belong together, such as a question and a clause.

    Attributes:
        second: position in `text` where the second text starts; a line break stands before it.
    """

    second: int = 0

    @property
    def texts(self) -> tuple[str, str]:
        """Both texts."""
        return self.text[: self.second - 1], self.text[self.second :]


@dataclass(frozen=True, eq=False)
class Split:
    """N questions with their true answers.

    Attributes:
        questions: without their answers, so that truth is passed on only on purpose.
        truth: (N,), answer numbers of closed questions; all 0 for open ones.
        reference_texts: (N,), true texts of open questions; empty for closed ones.
        salt: of the positions of preferred answers (`chosen_position`); empty for other tasks.
        groups: (N,), rows of one name belong together; empty where the data names no groups.
        slices: (N,), the part of the data that each row is reported with; or empty.
        sets: (N,), the test set of each row; or empty where there is only one.
    """

    questions: tuple[Question, ...]
    truth: Ints
    reference_texts: tuple[str, ...] = ()
    salt: str = ""
    groups: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Split: {len(self.questions):,} questions with their true answers>"

    def __post_init__(self) -> None:
        for name in ("reference_texts", "groups", "slices", "sets"):
            texts = getattr(self, name)
            if texts and len(texts) != len(self.questions):
                raise InputError(
                    f"`{name}` must have one text per question, {len(self.questions)}; "
                    f"got {len(texts)}."
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
    """A data set in three disjoint splits (Burns et al. 2023, arXiv:2312.09390, section 3).

    Attributes:
        name: of the data set.
        kind: "classification", "multiple_choice", "preference" or "generation".
        classes: K names; of multiple choice the option numbers "0", "1", ...; of preferences PAIR;
            empty for open answers.
        weak_train: trains the weak supervisors on the truth.
        strong_train: trains the student on votes; its truth trains the ceiling alone.
        test: scores all of them.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    weak_train: Split
    strong_train: Split
    test: Split

    @property
    def num_classes(self) -> int:
        """K, the number of classes or the largest number of options."""
        return len(self.classes)
