"""Inherited, corrected and new errors of every student, against the supervisors' majority."""

from dataclasses import asdict
from typing import Any

import numpy as np

from steelyard.evaluation.imitation import imitation
from steelyard.prompts import canonical
from steelyard.studies.grading import Answers, ensemble_answers
from steelyard.studies.results.json_numbers import mean
from steelyard.studies.results.scores import StudyScores
from steelyard.types import Ints


def imitated(scores: StudyScores) -> dict[str, Any] | None:
    """For each arm and the ceiling the shares of `evaluation.imitation`, means over the seeds.

    The teacher is the supervisors' majority on the test questions. None without votes on them.
    """
    if not scores.has_floor:
        return None
    return {name: _of(scores, name) for name, by_seed in scores.students.items() if by_seed}


def _of(scores: StudyScores, name: str) -> dict[str, float | None]:
    seeds = []
    for i, student in scores.students[name].items():
        teacher = ensemble_answers(scores.run, scores.seeds[i])
        pair = _numbered(scores, student.answers, teacher)
        seeds.append(asdict(imitation(*pair, scores.truth)))
    return {
        key: mean([seed[key] for seed in seeds if seed[key] is not None])
        for key in ("inherited", "corrected", "new", "teacher_wrong")
    }


def _numbered(scores: StudyScores, student: Answers, teacher: Answers) -> tuple[Ints, Ints]:
    """Both answers as numbers: the true one has the number of the truth, -1 is no answer."""
    if not isinstance(student, tuple) and not isinstance(teacher, tuple):
        size = scores.run.task(scores.seeds[0]).num_classes
        return _best(student[scores.rows], size), _best(teacher[scores.rows], size)
    texts, numbers = [student, teacher], []
    seen: list[dict[str, int]] = [{} for _ in scores.truth]
    for answers in texts:
        table = scores.table(answers, "accuracy")
        right = table.argmax(axis=1) == scores.truth
        row = np.zeros(len(right), dtype=np.int64)
        for i, answer in enumerate(answers[r] for r in scores.rows.tolist()):
            if not isinstance(answer, str):  # unreadable, or several that are tied
                row[i] = -1
            elif right[i]:
                row[i] = scores.truth[i]
            else:
                text = canonical(answer, scores.run.answer_format) or answer
                row[i] = seen[i].setdefault(text, len(seen[i]) + 1)
        numbers.append(row)
    return numbers[0], numbers[1]


def _best(table: Any, size: int) -> Ints:
    """Most probable classes; -1 where the further column of no answer is the largest, or a tie."""
    best = table.argmax(axis=1)
    tied = (table == table.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where((best >= size) | tied, -1, best)
