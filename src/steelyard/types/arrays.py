"""Array types, the check of distributions, and joins by id."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from steelyard.errors import InputError

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


def check_rows(rows: Floats, size: int, ids: Sequence[str], name: str) -> None:
    """Check that `rows` are `size` distributions over answers.

    Raises:
        InputError: they are not; the message names the first id at fault.
    """
    if rows.ndim != 2 or len(rows) != size:
        raise InputError(f"`{name}` must have {size} rows of answers, got shape {rows.shape}.")
    bad = ~(np.isfinite(rows).all(axis=1) & (rows >= 0).all(axis=1))
    bad |= np.abs(rows.sum(axis=1) - 1) > 1e-6
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        where = f" of {ids[i]!r}" if i < len(ids) else f", row {i},"
        raise InputError(f"`{name}`{where} must be probabilities that sum to 1, got {rows[i]}.")


def check_right(score: Floats, right: Ints) -> None:
    """Check that `right` is 1, 0 or -1 (unknown) for each label of `score`, (N,) both.

    Raises:
        InputError: they are not; the message names the first row at fault.
    """
    if score.ndim != 1 or right.shape != score.shape:
        raise InputError(
            "`score` and `right` must have one entry per label; "
            f"got {score.shape} and {right.shape}."
        )
    invalid = ~np.isin(right, (-1, 0, 1))
    if invalid.any():
        raise InputError(
            "`right` must be 1 (right), 0 (wrong) or -1 (unknown), got "
            f"{right[invalid][0]} in row {int(np.flatnonzero(invalid)[0])}."
        )


def check_unit(score: Floats) -> None:
    """Check that every score is in [0, 1].

    Raises:
        InputError: a score is not; the message names the first row at fault.
    """
    bad = ~((score >= 0) & (score <= 1))
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise InputError(f"`score` must be in [0, 1], got {score[i]} in row {i}.")


def tally(cell: Ints, size: int, weight: npt.ArrayLike | None = None) -> Floats:
    """Number of entries (E,) in each cell, or the sum of their weights (E,), (size,)."""
    return np.asarray(np.bincount(cell, weight, minlength=size), dtype=np.float64)


def random_choice(allowed: npt.NDArray[np.bool_], seed: int = 0) -> Ints:
    """A column of each row drawn at random among the allowed ones, (N,): ties have no order.

    The draw of a row depends on the seed and the row alone.
    """
    draw = np.random.default_rng(seed).random(allowed.shape)
    return np.asarray(np.where(allowed, draw, -1.0).argmax(axis=1))


def leaders(rows: Floats) -> Floats:
    """Each row's largest entry as a distribution: 1/k for each of k tied ones, (N, K).

    A row without an entry above 0 has no largest one and is 0.

    >>> leaders(np.array([[0.2, 0.8], [0.5, 0.5], [0.0, 0.0]])).tolist()
    [[0.0, 1.0], [0.5, 0.5], [0.0, 0.0]]
    """
    if not rows.shape[1]:
        return np.zeros(rows.shape)
    top = rows.max(axis=1, keepdims=True)
    tied = ((rows >= top - 1e-12) & (top > 0)).astype(np.float64)
    shares: Floats = tied / np.maximum(tied.sum(axis=1, keepdims=True), 1.0)
    return shares


def expected_hits(truth: Ints, rows: Floats) -> Floats:
    """Probability that a row's largest entry, ties drawn at random, is the true one, (N,).

    A true answer below 0 or beyond the K entries is never hit.

    >>> expected_hits(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 0.0]])).tolist()
    [1.0, 0.5, 0.0]
    """
    inside = (truth >= 0) & (truth < rows.shape[1])
    hits = np.zeros(len(truth))
    hits[inside] = leaders(rows)[inside, truth[inside]]
    return hits


def row_entropy(rows: Floats) -> Floats:
    """-sum p ln p of each row, in nats; 0 ln 0 is 0."""
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    entropy: Floats = -(rows * logs).sum(axis=1)
    return entropy


def rows_of(ids: Sequence[str], wanted: Sequence[str]) -> Ints:
    """Row of each wanted id, so that arrays are joined by name and never by position.

    >>> rows_of(("a", "b", "c"), ("c", "a"))
    array([2, 0])
    """
    row = {name: i for i, name in enumerate(ids)}
    missing = [name for name in wanted if name not in row]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(wanted)} ids are unknown, first {missing[0]!r}. "
            "Both must come from the same data set, sizes and seed."
        )
    return np.array([row[name] for name in wanted], dtype=np.int64)


def one_hot(labels: Ints, num_classes: int) -> Floats:
    """Labels as one-hot distributions, (N, num_classes)."""
    rows: Floats = np.eye(num_classes)[labels]
    return rows


def pairs_in_groups(group: Ints, size: int) -> Iterator[tuple[Ints, Ints]]:
    """Every two rows of one group, each pair once, in blocks of at most `size` pairs.

    >>> [(left.tolist(), right.tolist()) for left, right in pairs_in_groups(
    ...     np.array([0, 0, 0, 1]), 10)]
    [([0, 1], [1, 2]), ([0], [2])]

    Args:
        group: number of the group of each row, sorted.
        size: most pairs of a block.
    """
    for distance in range(1, len(group)):
        left = np.flatnonzero(group[distance:] == group[:-distance])
        if not len(left):
            return  # rows of one group are adjacent
        for start in range(0, len(left), size):
            part = left[start : start + size]
            yield part, part + distance
