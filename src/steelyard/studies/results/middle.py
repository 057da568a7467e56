"""How right the labels are that middle students pass on."""

from typing import Any

import numpy as np

from steelyard.studies.arms import Arm
from steelyard.studies.ladder import labels_after, middle_students
from steelyard.studies.parts import short_name
from steelyard.studies.results.json_numbers import mean
from steelyard.studies.run import Run
from steelyard.types.arrays import expected_hits


def middle_labels(run: Run, arm: Arm) -> list[dict[str, Any]]:
    """Accuracy of the labels of each middle student of an arm, in their order.

    Args:
        run: the study.
        arm: of closed questions.
    """
    entries = []
    for number, student in enumerate(middle_students(run, arm), 1):
        rates = [_accuracy(run, seed, arm, number) for seed in run.study.seed_list]
        given = [rate for rate in rates if rate is not None]
        entries.append(
            {"student": short_name(student), "label_accuracy": mean(given), "seeds": rates}
        )
    return entries


def _accuracy(run: Run, seed: int, arm: Arm, number: int) -> float | None:
    """Share of right ones among the labels that it gave; None where it was not trained."""
    labels = labels_after(run, seed, arm, number).selection
    if labels is None:
        return None
    truth, kept = run.task(seed).strong_train.truth, labels.weights > 0
    return float(np.mean(expected_hits(truth, labels.targets)[kept]))
