"""One label per example from a posterior: how ties are broken, and examples without votes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from steelyard.errors import InputError
from steelyard.selection.protocol import BaseSelector
from steelyard.types import ABSTAIN, Floats, Ints, Reliability, Selection, Votes, one_hot
from steelyard.types.arrays import leaders, random_choice


class NothingToLearn(InputError):
    """A selection that a student cannot learn from: it keeps nothing, or a single class."""


UNANSWERED = "no readable vote"
UNREADABLE = "a vote is unreadable"


def most_probable(votes: Votes, posterior: Floats, seed: int = 0) -> Ints:
    """The most probable answer of each example, (N,).

    A tie goes to the tied answer with the larger mean probability in the votes. If that is a tie
    too, one is drawn at random by the seed and the row, among the tied answers in the order in
    which they were given: neither their numbers nor their names matter.
    """
    order = first_given(votes).argsort(axis=1, kind="stable")
    leading = np.take_along_axis(leading_answers(votes, posterior), order, axis=1)
    return np.take_along_axis(order, random_choice(leading, seed)[:, None], axis=1)[:, 0]


def first_given(votes: Votes) -> Ints:
    """Row of the first vote for each answer of each example; M where there is none, (N, K)."""
    first = np.full((len(votes.ids), votes.num_classes), len(votes.answer), dtype=np.int64)
    rows = np.flatnonzero(votes.answer != ABSTAIN)
    np.minimum.at(first, (votes.example[rows], votes.answer[rows]), rows)
    return first


def leading_answers(votes: Votes, posterior: Floats) -> npt.NDArray[np.bool_]:
    """The answers with the largest posterior, and among these the largest mean vote, (N, K)."""
    best: npt.NDArray[np.bool_] = posterior >= posterior.max(axis=1, keepdims=True) - 1e-12
    means = np.where(best, votes.means(), -1.0)
    best &= means >= means.max(axis=1, keepdims=True) - 1e-12
    return best


def unreadable(votes: Votes) -> npt.NDArray[np.bool_]:
    """Which examples have a vote that cannot be read, (N,)."""
    mask = np.zeros(len(votes.ids), dtype=bool)
    mask[votes.example[votes.answer == ABSTAIN]] = True
    return mask


def select(
    ids: tuple[str, ...],
    targets: Floats,
    dropped: dict[str, npt.NDArray[np.bool_]],
    weights: Floats | None = None,
) -> Selection:
    """A Selection with weights of mean 1 over the kept rows; each dropped row has its first reason.

    Args:
        ids: N names.
        targets: (N, K).
        dropped: reason -> rows that are dropped for it, (N,) each.
        weights: (N,), before scaling; None: equal ones. Rows with a reason get 0.

    Raises:
        NothingToLearn: nothing is kept.
    """
    weights = np.ones(len(ids)) if weights is None else weights
    reasons = np.full(len(ids), "", dtype=object)
    for text, rows in reversed(dropped.items()):
        reasons[rows] = text
    kept = (reasons == "") & (weights > 0)
    reasons[(reasons == "") & ~kept] = "weight 0"
    if not kept.any():
        counts = {text: int((reasons == text).sum()) for text in dict.fromkeys(reasons)}
        raise NothingToLearn(
            f"The selection keeps none of {len(ids)} examples ({counts}); every vote was "
            "unreadable or every score 0. Keep a larger share, or check the votes."
        )
    scaled = np.where(kept, weights, 0.0)
    return Selection(ids, targets, scaled / scaled[kept].mean(), tuple(reasons))


def refuse_one_label(selection: Selection, class_names: Sequence[str] = ()) -> None:
    """Refuse a selection of one class: a student cannot learn from it.

    Args:
        selection: of N examples with K classes.
        class_names: K names, for the message; none: numbers.

    Raises:
        NothingToLearn: all kept examples have the same label.
    """
    labels = leaders(selection.targets[selection.weights > 0])
    if labels.shape[1] > 1 and labels[0].max() == 1 and (labels == labels[0]).all():
        number = int(labels[0].argmax())
        label = f"`{class_names[number]}`" if class_names else str(number)
        raise NothingToLearn(
            f"All {len(labels)} kept examples have the same label, {label}; a "
            "student cannot learn from one class. Keep a share of each class (the arm "
            "`filter_balanced`, or `per_class` of the selection `keep`), or check the votes."
        )


class FirstVoter(BaseSelector):
    """The naive student's labels: those of one voter, without any selection.

    It is the first voter that was asked about the example: the same voter for all examples, unless
    voters answer different examples, as crowd workers do. The voter's first readable answer
    counts; an example without one is dropped. In a study an arm with this selection has the votes
    of a single supervisor (see `studies.single_supervisors`).

    Source: Burns et al. 2023, arXiv:2312.09390, section 3 (soft labels).
    """

    version: ClassVar[int] = 2  # 2: soft labels
    takes_one_supervisor: ClassVar[bool] = True

    kind: Literal["first_voter"] = "first_voter"
    labels: Literal["soft", "hard"] = "soft"
    """`soft`: the probabilities of that vote, where the voter gives them; `hard`: its answer. Open
    answers are always hard."""

    def counted(self, votes: Votes) -> npt.NDArray[np.bool_]:
        """Mask of the votes that count, (M,)."""
        first = np.full(len(votes.ids), len(votes.voters), dtype=np.int64)
        np.minimum.at(first, votes.example, votes.voter)
        used: npt.NDArray[np.bool_] = votes.voter == first[votes.example]
        used &= votes.answer != ABSTAIN
        return used

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        hard = self.labels == "hard" or bool(votes.candidate_texts)
        answers = replace(votes, probs=None).distributions if hard else votes.distributions
        targets, has_label = votes.uniform(), np.zeros(len(votes.ids), dtype=bool)
        rows = np.flatnonzero(self.counted(votes))[::-1]  # the first answer is written last
        targets[votes.example[rows]] = answers[rows]
        has_label[votes.example[rows]] = True
        dropped = {"the first voter gave no readable answer": ~has_label}
        return select(votes.ids, targets, dropped)


class Harden(BaseSelector):
    """Hard labels: every example with its most probable answer (of vote shares, the majority)."""

    version: ClassVar[int] = 2  # 2: ties do not depend on the order of the classes

    kind: Literal["hard"] = "hard"
    seed: int = Field(0, ge=0)
    """Random seed for ties."""

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        labels = most_probable(votes, reliability.posterior, self.seed)
        targets = one_hot(labels, votes.num_classes)
        return select(votes.ids, targets, {UNANSWERED: ~votes.answered})


class Soften(BaseSelector):
    """Soft labels: every example with its posterior, (N, K), as the target.

    Source: Burns et al. 2023, arXiv:2312.09390, section 3.
    """

    version: ClassVar[int] = 1

    kind: Literal["soft"] = "soft"

    def select(self, votes: Votes, reliability: Reliability) -> Selection:
        return select(votes.ids, reliability.posterior, {UNANSWERED: ~votes.answered})
