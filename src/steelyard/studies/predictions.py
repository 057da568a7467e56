"""The answers of a study's students, as predictions.csv has them."""

import numpy as np

from steelyard.evaluation import without_abstentions
from steelyard.studies.grading import grade
from steelyard.studies.predictions_file import Predicted, PredictionTable
from steelyard.studies.run import Run
from steelyard.studies.training import CEILING, TrainedStudent, train_student, why_untrained
from steelyard.types.arrays import expected_hits, leaders

TIED = " | "
"""Between tied answers."""


def predictions_of(run: Run) -> PredictionTable:
    """Answers of the ceiling, the references and every arm to the test questions in each seed."""
    test = run.task(run.study.seed_list[0]).test
    classes = run.task(run.study.seed_list[0]).classes
    names = [CEILING, *run.study.reference_names, *(arm.name for arm in run.study.all_arms)]
    truth = tuple(classes[k] for k in test.truth) if classes else run.reference_texts(test)
    students = [
        _predicted(run, train_student(run, seed, name), name, seed, classes)
        for name in names
        for seed in run.study.seed_list
        if why_untrained(run, seed, name) is None
    ]
    return PredictionTable(test.ids, truth, classes, tuple(students))


def _predicted(
    run: Run, student: TrainedStudent, name: str, seed: int, classes: tuple[str, ...]
) -> Predicted:
    test = run.task(run.study.seed_list[0]).test
    table = grade(run, test, student.answers, "accuracy")
    right = expected_hits(test.truth, table)
    texts = student.record.get("answers")
    if texts is not None:
        answers = tuple("" if text is None else text for text in texts)
        return Predicted(name, seed, answers, right, np.zeros((len(right), 0)))
    probs = student.predictions.probs
    named = leaders(without_abstentions(probs, len(classes))) > 0
    answers = tuple(TIED.join(np.array(classes)[row]) for row in named)
    return Predicted(name, seed, answers, right, probs[:, : len(classes)])
