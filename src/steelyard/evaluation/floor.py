"""The floor: the answers of the weak supervisors on the test questions."""

from dataclasses import replace

import numpy as np

from steelyard.errors import ConfigError
from steelyard.types import ABSTAIN, Floats, Votes


def first_votes(votes: Votes) -> Votes:
    """One vote on each question: the first readable one, else the first.

    It is what `selection.FirstVoter` learns from, of votes of a single voter.
    """
    order = np.lexsort((votes.answer == ABSTAIN, votes.example))
    _, first = np.unique(votes.example[order], return_index=True)
    return votes.take(np.sort(order[first]))


def voter_answers(votes: Votes, num_classes: int | None = None) -> Floats:
    """A voter's distributions, with a further column for the questions it does not answer.

    Args:
        votes: of one voter on N questions.
        num_classes: K; None takes the largest number of candidates.

    Returns:
        (N, K), or (N, K + 1) if a question has no readable vote: its row is 1 in the last column.
    """
    return _with_abstentions(votes, votes.means(), num_classes)


def majority_answers(votes: Votes, num_classes: int | None = None) -> Floats:
    """Vote shares, with a further column for the questions that nobody answers; ties are equal.

    Args and result as of `voter_answers`, of the votes of several voters.

    >>> import numpy as np
    >>> from steelyard.types import Votes
    >>> zero = np.zeros(3, dtype=np.int64)
    >>> majority_answers(Votes(("q", "r"), ("ann", "bob"), ("plain",), np.array([0, 0, 1]),
    ...                        np.array([0, 1, 0]), zero, np.array([0, 1, -1]), np.array([2, 2])))
    array([[0.5, 0.5, 0. ],
           [0. , 0. , 1. ]])
    """
    return _with_abstentions(votes, votes.shares(), num_classes)


def _with_abstentions(votes: Votes, rows: Floats, num_classes: int | None) -> Floats:
    size = votes.num_classes if num_classes is None else num_classes
    answered = votes.answered[:, None]
    table = np.zeros((len(rows), size + 1))
    table[:, : rows.shape[1]] = np.where(answered, rows, 0.0)
    table[:, size:] = ~answered
    return table[:, :size] if answered.all() else table


def single_voters(votes: Votes) -> list[Votes]:
    """The votes of each voter alone, one on each question (`first_votes`).

    Where voters answer different questions, as people do, the first readable vote on each question
    is returned as the votes of a single voter.

    Raises:
        ConfigError: there are no votes.
    """
    if not len(votes.answer):
        raise ConfigError("There are no votes on test questions.")
    full = len(votes.ids) * len(votes.queries)
    if (np.bincount(votes.voter, minlength=len(votes.voters)) == full).all():
        return [first_votes(votes.of_voter(v)) for v in range(len(votes.voters))]
    readable = np.flatnonzero(votes.answer != ABSTAIN)
    _, first = np.unique(votes.example[readable], return_index=True)
    rows = readable[first]
    return [replace(votes.take(rows), probs=None)]
