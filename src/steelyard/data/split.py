"""Draw the three splits of a task from a data set."""

import numpy as np

from steelyard.data.arrange import LoadedData
from steelyard.data.draw import draw_groups, largest_remainder
from steelyard.data.settings import Data
from steelyard.data.take import take
from steelyard.errors import InputError
from steelyard.types import Ints, Task
from steelyard.types.task_kinds import KINDS


def split(source: LoadedData, data: Data, seed: int) -> Task:
    """Draw `weak_train` and `strong_train` from the train rows, and the test rows.

    Rows of one group go to one split. With `data.stratify` class proportions are those of the train
    rows, as far as groups allow. The test rows do not depend on the random seed, >= 0.

    Raises:
        InputError: too few rows, groups that do not add up, or a split of a single class.
    """
    size = len(source.train.truth)
    strong = size - data.weak_train if data.strong_train is None else data.strong_train
    if strong < 2 or data.weak_train + strong > size:
        wanted = "at least 2" if data.strong_train is None else f"{strong:,}"
        raise InputError(
            f"{source.name!r} has {size:,} train rows; `weak_train` needs {data.weak_train:,} and "
            f"`strong_train` {wanted}. Lower `data.weak_train` or "
            "`data.strong_train`, or give more rows."
        )
    rng = np.random.default_rng([seed, 1])
    groups = np.unique(np.array(source.groups), return_inverse=True)[1].astype(np.int64)
    shares = [
        part.truth if data.stratify else 0 * part.truth for part in (source.train, source.test)
    ]
    rows = draw_groups(shares[0], groups, (data.weak_train, strong), rng)
    if KINDS[source.kind].has_classes or KINDS[source.kind].has_options:
        for name, part in zip(("weak_train", "strong_train"), rows, strict=True):
            _check_classes(source, part, name)
    return Task(
        name=source.name,
        kind=source.kind,
        classes=source.classes,
        weak_train=take(source.train, rows[0]),
        strong_train=take(source.train, rows[1]),
        test=take(source.test, _test_rows(shares[1], data.max_test, source.test.sets)),
    )


def _test_rows(truth: Ints, most: int | None, sets: tuple[str, ...] = ()) -> Ints:
    """Up to `most` rows of each test set in file order, stratified by `truth`, for every seed."""
    if sets:
        parts = [np.flatnonzero(np.array(sets) == name) for name in dict.fromkeys(sets)]
        return np.concatenate([rows[_test_rows(truth[rows], most)] for rows in parts])
    if most is None or most >= len(truth):
        return np.arange(len(truth))
    rng = np.random.default_rng(20231214)
    order = rng.permutation(len(truth))
    counts = np.bincount(truth)
    kept = [
        order[truth[order] == label][:quota]
        for label, quota in enumerate(largest_remainder(counts, most))
    ]
    return np.sort(np.concatenate(kept))


def _check_classes(source: LoadedData, rows: Ints, name: str) -> None:
    truth = source.train.truth[rows]
    if len(truth) and (truth == truth[0]).all():
        raise InputError(
            f"All {len(rows):,} rows drawn for `{name}` from {source.name!r} are of class "
            f"{source.classes[truth[0]]!r}. At least two classes are needed: raise `data.{name}`."
        )
