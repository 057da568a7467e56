"""Two runs on the same test rows: each arm against itself, paired by seed and test row."""

from dataclasses import dataclass

import numpy as np

from steelyard.errors import ConfigError, InputError
from steelyard.evaluation import (
    METRICS,
    Difference,
    Scores,
    draw_resamples,
    find_metric,
    measure,
    paired_difference,
)
from steelyard.evaluation.many_arms import holm
from steelyard.studies.predictions_file import PredictionTable, arms_of

Row = tuple[str, str]


@dataclass(frozen=True)
class Version:
    """An arm of the second run less the same arm of the first one."""

    arm: str
    first: float  # mean score over the shared seeds
    second: float
    difference: Difference
    p_holm: float


def compare_versions(
    first: PredictionTable, second: PredictionTable, metric: str
) -> tuple[list[Version], list[Row]]:
    """Every arm that both runs have, with p adjusted over the arms, and why others are skipped.

    Args:
        first: answers of a run.
        second: answers of another run to the same test questions.
        metric: its name; of open answers `accuracy`.

    Raises:
        InputError: other test rows, truth or classes, or a metric that needs more than answers.
    """
    order = _matched(first, second)
    compared, skipped = [], []
    for arm in dict.fromkeys([*arms_of(first), *arms_of(second)]):
        seeds = [{s.seed for s in table.students if s.arm == arm} for table in (first, second)]
        shared = sorted(seeds[0] & seeds[1])
        if not shared:
            skipped.append((arm, "the two runs share no seed in which it was trained"))
            continue
        older = _scores(first, arm, shared, metric, np.arange(len(first.ids)))
        newer = _scores(second, arm, shared, metric, order)
        compared.append((arm, older.value, newer.value, paired_difference(newer, older)))
    adjusted = holm([row[3].p for row in compared])
    return [Version(*row, p) for row, p in zip(compared, adjusted, strict=True)], skipped


def _matched(first: PredictionTable, second: PredictionTable) -> np.ndarray:
    """Rows of the second table in the order of the first."""
    place = {name: i for i, name in enumerate(second.ids)}
    if set(first.ids) != set(second.ids) or len(first.ids) != len(second.ids):
        shared = len(set(first.ids) & set(second.ids))
        raise InputError(
            f"Two runs of one data set must have the same test rows: {shared:,} of "
            f"{len(first.ids):,} and {len(second.ids):,} are the same. Set the same "
            "`data.test` and `data.max_test`, and run one of them again."
        )
    order = np.array([place[name] for name in first.ids], dtype=np.int64)
    if tuple(second.truth[i] for i in order) != first.truth or first.classes != second.classes:
        raise InputError("The two runs must have the same true answers and classes, and have not.")
    return order


def _scores(
    table: PredictionTable, arm: str, seeds: list[int], metric: str, order: np.ndarray
) -> Scores:
    students = {s.seed: s for s in table.students if s.arm == arm}
    if table.classes and metric in METRICS:
        names = [table.classes.index(table.truth[i]) for i in order]
        truth, probs = np.array(names), [students[s].probs[order] for s in seeds]
    elif metric == "accuracy":
        truth = np.zeros(len(order), dtype=np.int64)
        right = [students[s].right[order] for s in seeds]
        probs = [np.column_stack([row, 1 - row]) for row in right]
    else:
        find_metric(metric)
        raise ConfigError(f"`metric: {metric}` cannot be computed from stored answers.")
    return measure(metric, truth, [[p] for p in probs], draw_resamples(len(order)))
