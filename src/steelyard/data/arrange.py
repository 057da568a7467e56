"""What is done with the rows of a data set before splits are drawn from them."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from steelyard.data.contradictions import resolve
from steelyard.data.draw import draw_groups
from steelyard.data.groups import row_groups, rows_of_straddling
from steelyard.data.settings import Data
from steelyard.data.take import joined, take
from steelyard.errors import ConfigError, InputError
from steelyard.types import Split
from steelyard.types.task_kinds import KINDS, Kind

_SEED = 20231215  # of the test rows that are drawn


@dataclass(frozen=True, eq=False)
class LoadedData:
    """A data set as it was published: all train rows, all test rows."""

    name: str
    kind: Kind
    classes: tuple[str, ...]
    train: Split
    test: Split
    groups: tuple[str, ...]  # (N,), keys of train rows: equal ones ask about the same thing
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> rows that are not used
    contradictory: int = 0  # texts of one file with several labels, before any were dropped


def arranged(source: LoadedData, tests: dict[str, Split], data: Data) -> LoadedData:
    """The data set with its test sets, contradictions resolved, and groups in one part only.

    Args:
        source: with the rows of train.
        tests: rows of each test set by its name.
        data: the settings.

    Raises:
        InputError: a group is in train and test, or there are too few rows.
        ConfigError: a setting does not suit the kind of task.
    """
    _check_kind(source.kind, tests, data)
    counts = Counter(source.dropped)
    train = source.train
    if data.draw_test is not None:
        train, tests = _drawn(source, tests, data.draw_test)
    if KINDS[source.kind].has_classes:
        train, counts = _resolved(train, counts, data)
        for name, part in tests.items():
            tests[name], counts = _resolved(part, counts, data)
    test = joined(tests)
    if "slice" in data.all_columns and not test.slices:
        raise InputError(
            f"No test row of {source.name!r} has the column {data.all_columns['slice']!r} that "
            "`data.slice` names. Give another column, or remove the setting."
        )
    train, straddling = _without_straddling(source.name, train, test, data)
    if straddling:
        counts["group in train and test"] += straddling
    contradictory = counts.pop("contradictory texts", 0)
    groups = tuple(map(str, row_groups(train)))
    return LoadedData(
        *(source.name, source.kind, source.classes, train, test, groups),
        dropped=dict(counts),
        contradictory=contradictory,
    )


def _check_kind(kind: Kind, tests: dict[str, Split], data: Data) -> None:
    unsuited = {
        "contradictions": data.contradictions != "keep" and not KINDS[kind].has_classes,
        "pair": "pair" in data.all_columns and not KINDS[kind].has_classes,
        "draw_test": data.draw_test is not None and KINDS[kind].is_pair,
        "test": len(tests) > 1 and KINDS[kind].is_pair,
    }
    for name, wrong in unsuited.items():
        if wrong:
            what = "`data.test` with several test sets" if name == "test" else f"`data.{name}`"
            raise ConfigError(f"{what} does not suit `task: {kind}`; remove it.")


def _drawn(
    source: LoadedData, tests: dict[str, Split], size: int
) -> tuple[Split, dict[str, Split]]:
    """Train and test rows drawn at random from all rows, whole groups."""
    rows = joined({"train": source.train, **tests})
    rest = len(rows.truth) - size
    if rest < 2:
        raise InputError(
            f"{source.name!r} has {len(rows.truth):,} rows; `data.draw_test` takes {size:,} and "
            "leaves less than 2 for training. Lower it."
        )
    rng = np.random.default_rng(_SEED)
    names = ("draw_test", "the training rows")
    drawn = draw_groups(0 * rows.truth, row_groups(rows), (size, rest), rng, names)
    test, train = (replace(take(rows, np.sort(part)), sets=()) for part in drawn)
    return train, {"test": test}


def _resolved(part: Split, counts: Counter[str], data: Data) -> tuple[Split, Counter[str]]:
    kept, resolved_counts = resolve(part, data.contradictions)
    return kept, counts + Counter(resolved_counts)


def _without_straddling(name: str, train: Split, test: Split, data: Data) -> tuple[Split, int]:
    """Train without the groups that are in test as well, and how many rows that were."""
    rows, first = rows_of_straddling(train, test)
    if not len(rows):
        return train, 0
    if data.leaks != "drop":
        raise InputError(
            f"Group {first!r} of {name!r} is in train and in test, with {len(rows):,} train rows "
            "of such groups in all. Set `data.leaks: drop` to drop these train rows, or remove "
            "`data.group`."
        )
    kept = take(train, np.setdiff1d(np.arange(len(train.truth)), rows))
    if len(kept.truth) < 2:
        raise InputError(
            f"Without the {len(rows):,} rows of groups that are in test as well, {name!r} has "
            f"{len(kept.truth)} train rows; at least 2 are needed. Give other files."
        )
    return kept, len(rows)
