"""Votes from the probabilities that voters give."""

from collections.abc import Sequence

import numpy as np

from steelyard.types import Floats, Question, Votes


def votes_from_probabilities(
    questions: Sequence[Question],
    classes: tuple[str, ...],
    voters: Sequence[str],
    probs: Sequence[Floats],
    queries: Sequence[str] = ("as it stands",),
) -> Votes:
    """One vote of each voter and query on each question: its most probable answer.

    A voter's tie goes to the lower number, as its own argmax does.

    Args:
        questions: N of them.
        classes: K names.
        voters: V names.
        probs: V * Q arrays (N, K): voter 0's queries, then voter 1's, ...
        queries: Q names of how each voter was asked.
    """
    size, width = len(questions), len(voters) * len(queries)
    table = np.stack(probs, axis=1).reshape(size * width, -1)
    columns = np.arange(width)
    return Votes(
        ids=tuple(question.id for question in questions),
        voters=tuple(voters),
        queries=tuple(queries),
        example=np.repeat(np.arange(size), width),
        voter=np.tile(columns // len(queries), size),
        query=np.tile(columns % len(queries), size),
        answer=table.argmax(axis=1),
        candidates=candidates_of(questions, len(classes)),
        classes=classes,
        probs=table,
    )


def candidates_of(questions: Sequence[Question], answers: int) -> np.ndarray:
    """Number of possible answers of each question, (N,): its options, or all classes."""
    return np.array([len(q.choices) or answers for q in questions], dtype=np.int64)
