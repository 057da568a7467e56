"""A threshold for one of two classes, chosen on rows of known truth for a recall or a cost."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from steelyard.errors import InputError
from steelyard.evaluation.metrics import spread_missing
from steelyard.evaluation.task_metrics.cost import Amount, Cost
from steelyard.evaluation.task_metrics.of_class import ClassRecall
from steelyard.evaluation.task_metrics.over_refusal import OverRefusal
from steelyard.evaluation.task_metrics.protocol import TaskMetric
from steelyard.types import Floats, Ints


class Threshold(BaseModel):
    """From which probability one of two classes is answered, chosen on `weak_train`.

    With `recall`, it is the largest threshold at which at least this share of the class's rows of
    weak_train is answered with it; with `costs`, the threshold of the least mean cost there, of
    several the one nearest to 0.5. Each student has its own, in each seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    of: str
    """Name of the class that is answered from the threshold on, such as `unsafe`."""
    recall: Annotated[float, Field(gt=0, le=1)] | None = None
    """Least recall of the class on weak_train."""
    costs: dict[str, dict[str, Amount]] | None = None
    """Cost by true class and answer, as of the metric `cost`:
    `{unsafe: {safe: 5}, safe: {unsafe: 1}}`."""

    @model_validator(mode="after")
    def _one_target(self) -> "Threshold":
        if (self.recall is None) == (self.costs is None):
            raise ValueError("give either `recall` or `costs`")
        return self

    def check_classes(self, classes: tuple[str, ...]) -> None:
        """Raise InputError unless there are two classes, and the names are theirs."""
        if len(classes) != 2:
            raise InputError(
                f"`threshold` is between two classes, and this task has {len(classes)}; remove it."
            )
        costs = self.costs or {}
        for name in (self.of, *costs, *(answer for row in costs.values() for answer in row)):
            if name not in classes:
                raise InputError(
                    f"`threshold` names the class {name!r}, and the classes are "
                    f"{', '.join(map(repr, classes))}."
                )

    def metrics(self) -> tuple[TaskMetric, ...]:
        """What is reported at the threshold whatever the study's metrics are."""
        of = (ClassRecall(of=self.of), OverRefusal(unsafe=self.of))
        return of if self.costs is None else (*of, Cost(costs=self.costs))

    def choose(self, truth: Ints, probs: Floats, classes: tuple[str, ...]) -> float:
        """The threshold, from 0 (the class is always answered) to 1.

        It lies halfway between two neighbouring probabilities of the rows. The class is answered
        where its probability is at least the threshold. A row without an answer counts as 1/2.

        Args:
            truth: (N,), class numbers.
            probs: (N, 2), of a student that was not trained on these rows.
            classes: names of the two.

        Raises:
            InputError: as `check_classes`, or no row is of the class.
        """
        self.check_classes(classes)
        number = classes.index(self.of)
        actual = truth == number
        if not actual.any():
            raise InputError(
                f"`threshold`: no row of weak_train is of class {self.of!r}; raise "
                "`data.weak_train`."
            )
        values, place = np.unique(spread_missing(probs)[:, number], return_inverse=True)
        positive = np.bincount(place, actual.astype(float), len(values))
        negative = np.bincount(place, (~actual).astype(float), len(values))
        # answered at threshold j: rows of values[j] and above; none at the last
        hits, wrong = (np.append(part[::-1].cumsum()[::-1], 0.0) for part in (positive, negative))
        between = (values[:-1] + values[1:]) / 2
        between = np.where(between > values[:-1], between, values[1:])
        thresholds = np.array([0.0, *between, (values[-1] + 1) / 2])
        possible = thresholds > np.append(-1.0, values)  # of 1.0 nothing is above
        if self.recall is not None:
            enough = hits >= self.recall * hits[0] - 1e-9
            return float(thresholds[enough & possible].max())
        table = Cost(costs=self.costs or {}).table(classes)
        missed, called = table[number, 1 - number], table[1 - number, number]
        cost = missed * (hits[0] - hits) + called * wrong
        cost += table[number, number] * hits + table[1 - number, 1 - number] * (wrong[0] - wrong)
        best = possible & (cost <= cost[possible].min() + 1e-9)
        return float(min(thresholds[best], key=lambda threshold: abs(threshold - 0.5)))


def at_threshold(probs: Floats, number: int, threshold: float) -> Floats:
    """Probabilities moved so that a class is the most probable from a threshold on.

    The odds of the class are divided by those of the threshold, so its order of rows stays. Rows
    without an answer have none afterwards.

    Args:
        probs: (N, 2), or (N, 3) with the probability of no answer, which stays.
        number: of the class.
        threshold: from 0 to 1.

    >>> at_threshold(np.array([[0.8, 0.2], [0.9, 0.1]]), 1, 0.2).round(3).tolist()
    [[0.0, 1.0], [0.692, 0.308]]
    """
    yes, no = probs[:, number], probs[:, 1 - number]
    up, down = yes * (1 - threshold), no * threshold
    whole = yes + no
    exact = (whole > 0) & (np.abs(up - down) <= 1e-12)  # at the threshold: answered
    share = np.divide(up, up + down, out=np.zeros_like(up), where=up + down > 0)
    share = np.where(exact, 1.0, share)
    moved = probs.copy()
    moved[:, number], moved[:, 1 - number] = whole * share, whole * (1 - share)
    return moved
