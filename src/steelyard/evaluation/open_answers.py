"""Open answers graded: equal to the truth in the reader's one spelling, or slot by slot."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError
from steelyard.evaluation.metrics import SLOT_METRICS
from steelyard.evaluation.slot_metrics import count_slots
from steelyard.prompts import AnswerFormat, canonical
from steelyard.prompts.parse_slots import Slot, read_slots
from steelyard.types import Floats, Ints, Votes

Bools = npt.NDArray[np.bool_]
NOBODY = -2
"""Number of a true answer that no voter gave: no candidate's, and not ABSTAIN."""


def read_truth(ids: Sequence[str], answers: Sequence[str], reader: AnswerFormat) -> tuple[str, ...]:
    """True answers in the reader's spelling; closed questions have none.

    Raises:
        InputError: one has no answer that the reader can read; it is named.
    """
    spelled = [canonical(answer, reader) for answer in answers]
    for name, answer, text in zip(ids, answers, spelled, strict=False):
        if text is None:
            raise InputError(
                f"The true answer of {name!r}, {answer[:60]!r}, cannot be read as {reader}; "
                "correct it, or choose another `student.answer_format`."
            )
    return tuple(text for text in spelled if text is not None)


def candidate_numbers(votes: Votes, truth: Sequence[str], reader: AnswerFormat) -> Ints:
    """Number of each example's candidate that is the true answer, NOBODY if none is, (N,).

    A truth that nobody gave is no candidate: it may not become a label.

    Args:
        votes: about N open questions.
        truth: N answers of `read_truth`.
        reader: of candidates.
    """
    numbers = np.full(len(truth), NOBODY, dtype=np.int64)
    for i, (right, texts) in enumerate(zip(truth, votes.candidate_texts, strict=True)):
        spelled = [canonical(text, reader) for text in texts]
        if right in spelled:
            numbers[i] = spelled.index(right)
    return numbers


def right_or_wrong(right: Bools) -> Floats:
    """Answers as predictions of two classes, (N, 2): 0 is the true answer, 1 any other.

    With a truth of 0 everywhere their accuracy is the share of right answers, and every interval
    and comparison of closed tasks holds.
    """
    return np.column_stack([right, ~right]).astype(np.float64)


def grade_texts(
    said: Sequence[str | None],
    truth: Sequence[str],
    reader: AnswerFormat,
    metric: str = "accuracy",
) -> Floats:
    """Answers (N) against true ones of `read_truth`, as the metric takes them.

    Of accuracy (N, 2), right or wrong. Of the metrics of slots (N, 3), true positives, false
    positives and misses; an answer's slots are taken in the order of their one spelling. An answer
    that cannot be read is wrong, and has no slots.
    """
    if metric in SLOT_METRICS:
        right, got = ([_sorted_slots(text) for text in texts] for texts in (truth, said))
        return count_slots([slots or () for slots in right], got).table(metric)
    equal = [
        text is not None and canonical(text, reader) == answer
        for text, answer in zip(said, truth, strict=True)
    ]
    return right_or_wrong(np.array(equal, dtype=bool))


def _sorted_slots(text: str | None) -> list[Slot] | None:
    slots = read_slots(text)
    return None if slots is None else sorted(slots)


def winners(votes: Votes) -> tuple[str | None, ...]:
    """The answer that most readable votes on each open question give, None without one, (N,).

    A tie goes to a draw that depends on the row alone, never to the lower number.
    """
    if not votes.num_classes:
        return (None,) * len(votes.ids)
    tied = votes.counts == votes.counts.max(axis=1, keepdims=True)
    draw = np.random.default_rng(0).random(tied.shape)
    best = np.where(tied, draw, -1.0).argmax(axis=1)
    given = votes.counts.sum(axis=1) > 0
    rows = zip(votes.candidate_texts, best, given, strict=True)
    return tuple(texts[k] if some else None for texts, k, some in rows)
