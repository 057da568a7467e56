"""Grading of open answers: equal to the truth in canonical spelling, or slot by slot."""

from collections.abc import Sequence

import numpy as np

from steelyard.errors import InputError
from steelyard.evaluation.metrics import SLOT_METRICS
from steelyard.evaluation.slot_metrics import count_slots
from steelyard.prompts import AnswerFormat, canonical
from steelyard.prompts.parse_slots import Slot, read_slots
from steelyard.types import NO_CANDIDATE, Floats, Ints, Votes


def canonical_truth(
    ids: Sequence[str], answers: Sequence[str], answer_format: AnswerFormat
) -> tuple[str, ...]:
    """True answers in the canonical spelling of the format; closed questions have none.

    Raises:
        InputError: an answer cannot be read in this format; its question is named.
    """
    spellings = [canonical(answer, answer_format) for answer in answers]
    for name, answer, text in zip(ids, answers, spellings, strict=False):
        if text is None:
            raise InputError(
                f"The true answer of {name!r}, {answer[:60]!r}, cannot be read as {answer_format}; "
                "correct it, or choose another `student.answer_format`."
            )
    return tuple(text for text in spellings if text is not None)


def candidate_numbers(votes: Votes, truth: Sequence[str], answer_format: AnswerFormat) -> Ints:
    """Number of each example's candidate that is the true answer, NO_CANDIDATE if none is, (N,).

    A true answer that no voter gave is not a candidate: it must not become a label.

    Args:
        votes: votes on N open questions.
        truth: N answers from `canonical_truth`.
        answer_format: format of the candidates.
    """
    numbers = np.full(len(truth), NO_CANDIDATE, dtype=np.int64)
    for i, (right, texts) in enumerate(zip(truth, votes.candidate_texts, strict=True)):
        spellings = [canonical(text, answer_format) for text in texts]
        if right in spellings:
            numbers[i] = spellings.index(right)
    return numbers


def grade_texts(
    answers: Sequence[str | None],
    truth: Sequence[str],
    answer_format: AnswerFormat,
    metric: str = "accuracy",
) -> Floats:
    """N answers compared with the true ones of `canonical_truth`, as the metric expects them.

    For accuracy (N, 2), probabilities of two classes: 0 is the true answer, 1 any other, so that
    with the truth 0 everywhere intervals and comparisons of closed tasks apply. For slot metrics
    (N, 3), true positives, false positives and misses; the slots of an answer are sorted. An answer
    that cannot be read is wrong, and has no slots.
    """
    if metric in SLOT_METRICS:
        true, predicted = ([_sorted_slots(text) for text in texts] for texts in (truth, answers))
        return count_slots([slots or () for slots in true], predicted).table(metric)
    equal = [
        text is not None and canonical(text, answer_format) == answer
        for text, answer in zip(answers, truth, strict=True)
    ]
    right = np.array(equal, dtype=bool)
    return np.column_stack([right, ~right]).astype(np.float64)


def grade_tied_texts(
    answers: Sequence[Sequence[str]],
    truth: Sequence[str],
    answer_format: AnswerFormat,
    metric: str = "accuracy",
) -> Floats:
    """`grade_texts` in expectation, where each of N answers is one of several, equally likely ones.

    For accuracy the truth is class 0 and each other text a class of its own, with equal
    probabilities; for slot metrics counts are means over the texts. No text is no answer.
    """
    sizes = np.array([max(len(texts), 1) for texts in answers], dtype=np.int64)
    row = np.repeat(np.arange(len(sizes)), sizes)
    flat = [text for texts in answers for text in (texts or (None,))]
    graded = grade_texts(flat, [truth[i] for i in row.tolist()], answer_format, metric)
    means = np.zeros((len(sizes), graded.shape[1]))
    np.add.at(means, row, graded / sizes[row, None])
    if metric in SLOT_METRICS:
        return means
    right = means[:, 0] > 0  # then one text is the truth, and the others are sizes - 1 classes
    column = np.arange(sizes.max(initial=1) + 1)
    first = np.where(right, 0, 1)[:, None]
    rows: Floats = ((column >= first) & (column < first + sizes[:, None])) / sizes[:, None]
    return rows


def _sorted_slots(text: str | None) -> list[Slot] | None:
    slots = read_slots(text)
    return None if slots is None else sorted(slots)


def tied_texts(votes: Votes) -> tuple[tuple[str, ...], ...]:
    """The answers with most readable votes on each open question, none without votes, (N,)."""
    best = votes.counts == votes.counts.max(axis=1, keepdims=True, initial=0)
    rows = zip(votes.candidate_texts, best, votes.answered, strict=True)
    return tuple(
        tuple(text for text, is_best in zip(texts, row, strict=False) if is_best)
        if answered
        else ()
        for texts, row, answered in rows
    )
