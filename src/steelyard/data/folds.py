"""Parts of a split's rows, each held out once."""

from dataclasses import replace

import numpy as np

from steelyard.data.groups import row_groups
from steelyard.data.take import take
from steelyard.types import Ints, Task


def fold_numbers(keys: tuple[str, ...], folds: int, seed: int) -> Ints:
    """Fold of each row, (N,): random, of about equal size, rows with one key together."""
    groups = np.unique(np.array(keys), return_inverse=True)[1]
    count = int(groups.max(initial=-1)) + 1
    of_group = np.random.default_rng([seed, 6]).permutation(count) % folds
    numbers: Ints = of_group[groups].astype(np.int64)
    return numbers


def hold_out(task: Task, fold: int, folds: int, seed: int) -> Task:
    """The task with one fold of weak_train as its test rows, and the others as weak_train.

    Args:
        task: splits of a seed.
        fold: number of the fold, below `folds`.
        folds: parts that weak_train is divided into.
        seed: of the division.
    """
    keys = tuple(map(str, row_groups(task.weak_train)))
    numbers = fold_numbers(keys, folds, seed)
    return replace(
        task,
        weak_train=take(task.weak_train, np.flatnonzero(numbers != fold)),
        test=take(task.weak_train, np.flatnonzero(numbers == fold)),
    )
