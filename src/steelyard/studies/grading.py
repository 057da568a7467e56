"""Answers to the test questions: the supervisors' and the students', as metrics take them."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from steelyard.evaluation import grade_texts, most_voted_texts, single_voters
from steelyard.prompts import canonical
from steelyard.studies.run import Run
from steelyard.studies.votes import collect_votes
from steelyard.types import Floats, Split, Votes

Answers: TypeAlias = Floats | tuple[str | None, ...]
"""Answers to N questions: class probabilities (N, K), or texts of open ones, None if unreadable."""


def grade(run: Run, split: Split, answers: Answers, metric: str) -> Floats:
    """Answers to the questions of a split as the metric takes them, (N, K)."""
    if not isinstance(answers, tuple):
        return answers
    return grade_texts(answers, run.reference_texts(split), run.answer_format, metric)


def supervisors_answers(run: Run, seed: int) -> Sequence[Answers]:
    """What each weak supervisor answers to the test questions."""
    votes = collect_votes(run, seed).test
    answers = most_voted_texts if votes.candidate_texts else Votes.means
    return [answers(voter) for voter in single_voters(votes)]


def ensemble_answers(run: Run, seed: int) -> Answers:
    """What all weak supervisors together answer to the test questions."""
    votes = collect_votes(run, seed).test
    return most_voted_texts(votes) if votes.candidate_texts else votes.means()


def agreement(run: Run, seed: int, answers: Answers) -> float:
    """Share of the test questions that are answered as the supervisors' majority answers them.

    An answer that cannot be read agrees with nothing.
    """
    votes = collect_votes(run, seed).test
    best = votes.means().argmax(axis=1)
    if not isinstance(answers, tuple):
        return float((answers.argmax(axis=1) == best).mean())
    texts = [candidates[k] for candidates, k in zip(votes.candidate_texts, best, strict=True)]
    majority = [canonical(text, run.answer_format) for text in texts]
    pairs = zip(answers, majority, strict=True)
    return float(np.mean([answer is not None and answer == other for answer, other in pairs]))
