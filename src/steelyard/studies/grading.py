"""Answers to the test questions: the supervisors' and the students', as metrics take them."""

from typing import TypeAlias

import numpy as np

from steelyard.evaluation import (
    BaseMetric,
    MetricFacts,
    TestRows,
    bind,
    grade_texts,
    grade_tied_texts,
    majority_answers,
    tied_texts,
    voter_answers,
    without_abstentions,
)
from steelyard.prompts import canonical
from steelyard.studies.run import Run
from steelyard.studies.single_supervisors import SingleSupervisor
from steelyard.studies.votes import collect_votes
from steelyard.types import Floats, Ints, Split
from steelyard.types.arrays import leaders

Answers: TypeAlias = Floats | tuple[str | None, ...] | tuple[tuple[str, ...], ...]
"""Answers to N questions: class probabilities (N, K), or (N, K + 1) with the probability of no
answer; or texts of open ones, None if unreadable; or all texts that are tied, none if unreadable.
"""


def grade(run: Run, split: Split, answers: Answers, metric: str) -> Floats:
    """Answers to the questions of a split as the metric takes them, (N, K).

    A metric from outside the package takes abstentions as a further column.
    """
    if isinstance(answers, tuple):
        truth, kind = run.reference_texts(split), run.answer_format
        if any(isinstance(answer, tuple) for answer in answers):
            return grade_tied_texts([a or () for a in answers], truth, kind, metric)
        return grade_texts([_text(a) for a in answers], truth, kind, metric)
    if isinstance(run.study.named_metrics.get(metric), BaseMetric):
        return answers
    return without_abstentions(answers, len(run.source.classes))


def bind_metric(run: Run, metric: str, split: Split) -> MetricFacts:
    """A metric of the study or a built-in one by its name, for the rows of a split.

    Raises:
        InputError: it is not defined on them.
    """
    return bind(run.study.named_metrics.get(metric, metric), rows_of_split(run, split))


def rows_of_split(run: Run, split: Split) -> TestRows:
    """The rows of a split as metrics take them."""
    groups = np.unique(split.groups, return_inverse=True)[1] if split.groups else None
    return TestRows(run.source.classes, split.truth, groups)


def _text(answer: str | tuple[str, ...] | None) -> str | None:
    return answer if isinstance(answer, str) else None


def supervisor_answers(run: Run, single: SingleSupervisor) -> Answers:
    """What one weak supervisor answers to the test questions."""
    votes, size = single.votes.test, len(run.source.classes)
    return tied_texts(votes) if votes.candidate_texts else voter_answers(votes, size)


def ensemble_answers(run: Run, seed: int) -> Answers:
    """What the majority of all voters answers to the test questions."""
    votes, size = collect_votes(run, seed).test, len(run.source.classes)
    return tied_texts(votes) if votes.candidate_texts else majority_answers(votes, size)


def agreement(run: Run, seed: int, answers: Answers, rows: Ints) -> float:
    """Share of these test questions that are answered as the supervisors' majority answers them.

    Of k tied answers each counts 1/k. An answer that cannot be read agrees with nothing.
    """
    votes = collect_votes(run, seed).test
    if not isinstance(answers, tuple):
        majority = majority_answers(votes, len(run.source.classes))
        return share_agreed(majority[rows], answers[rows], len(run.source.classes))
    spelled = [
        [canonical(text, run.answer_format) for text in texts] for texts in tied_texts(votes)
    ]
    shares = [
        texts.count(answer) / len(texts) if isinstance(answer, str) and texts else 0.0
        for answer, texts in zip(answers, spelled, strict=True)
    ]
    return float(np.mean(np.array(shares)[rows]))


def share_agreed(first: Floats, second: Floats, num_classes: int) -> float:
    """Share of N questions with the same most probable answer; of k tied ones each counts 1/k.

    Args:
        first: (N, K), or (N, K + 1) with the probability of no answer, which never agrees.
        second: the same of other answers.
        num_classes: K.
    """
    pair = [leaders(without_abstentions(table, num_classes)) for table in (first, second)]
    return float((pair[0] * pair[1]).sum(axis=1).mean())
