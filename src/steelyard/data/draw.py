"""Draw disjoint sets of rows: exact sizes, whole groups, class proportions kept."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from steelyard.errors import InputError
from steelyard.types import Ints


def largest_remainder(counts: Ints, total: int) -> Ints:
    """Whole numbers in proportion to `counts` that add up to `total`, never above the counts.

    >>> largest_remainder(np.array([50, 30, 20]), 7)
    array([4, 2, 1])
    """
    exact = counts * (total / counts.sum())
    quotas = np.floor(exact).astype(np.int64)
    first = np.argsort(quotas - exact, kind="stable")[: total - int(quotas.sum())]
    quotas[first] += 1
    capped: Ints = np.minimum(quotas, counts)
    return capped


def draw_groups(
    truth: Ints,
    groups: Ints,
    sizes: tuple[int, int],
    rng: np.random.Generator,
    names: tuple[str, str] = ("weak_train", "strong_train"),
) -> tuple[Ints, Ints]:
    """Two disjoint sets of rows, each in random order.

    Groups of several rows are placed first, from large to small, in a set drawn in proportion to
    its free places; single rows then fill both sets class by class. Remaining places are filled
    regardless of class.

    Args:
        truth: (N,), class numbers.
        groups: (N,), group numbers; rows of one number stay together.
        sizes: rows of the two sets.
        rng: random generator.
        names: settings that give the sizes, for messages.

    Raises:
        InputError: no choice of whole groups gives these sizes.
    """
    members = _members(groups, rng)
    counts = np.bincount(truth)
    first = largest_remainder(counts, sizes[0])
    second = largest_remainder(counts - first, sizes[1])
    free = [first.tolist(), second.tolist()]
    chosen: tuple[list[int], list[int]] = ([], [])
    unplaced = _place(members, truth, free, chosen, rng)
    for part, size in zip(chosen, sizes, strict=True):
        unplaced = _fill(part, size, unplaced)
    if (len(chosen[0]), len(chosen[1])) != sizes:
        chosen = _exact(members, sizes, names)
    first_rows, second_rows = (np.array(rows, dtype=np.int64) for rows in chosen)
    return rng.permutation(first_rows), rng.permutation(second_rows)


def _members(groups: Ints, rng: np.random.Generator) -> list[list[int]]:
    """Rows of each group; larger groups first, random order within a size."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    ends = np.append(starts[1:], len(groups))
    mixed = rng.permutation(len(starts))
    mixed = mixed[np.argsort((starts - ends)[mixed], kind="stable")]
    rows = order.tolist()
    spans = zip(starts[mixed].tolist(), ends[mixed].tolist(), strict=True)
    return [rows[start:end] for start, end in spans]


def _place(
    members: list[list[int]],
    truth: Ints,
    free: list[list[int]],
    chosen: tuple[list[int], list[int]],
    rng: np.random.Generator,
) -> list[list[int]]:
    """Place groups where their classes have free places; return the others.

    Groups of several rows go to a set drawn by its free places, single rows to the first set with a
    free place.
    """
    unplaced, open_rows, labels = [], len(truth), truth.tolist()
    for rows in members:
        need = Counter(labels[row] for row in rows)
        if len(rows) == 1:
            part: int | None = 0 if free[0][labels[rows[0]]] else 1
        else:
            places = [sum(free[0]), sum(free[1])]
            spot = int(rng.integers(open_rows))
            open_rows -= len(rows)
            part = 0 if spot < places[0] else 1 if spot < sum(places) else None
        if part is None or any(n > free[part][label] for label, n in need.items()):
            unplaced.append(rows)
            continue
        chosen[part].extend(rows)
        for label, n in need.items():
            free[part][label] -= n
    return unplaced


def _fill(part: list[int], size: int, groups: list[list[int]]) -> list[list[int]]:
    """Add whole groups, the largest that fit first, up to `size` rows; return the others."""
    unused = []
    for rows in groups:
        if len(part) + len(rows) <= size:
            part.extend(rows)
        else:
            unused.append(rows)
    return unused


def _exact(
    members: list[list[int]], sizes: tuple[int, int], names: tuple[str, str]
) -> tuple[list[int], list[int]]:
    """Subset sums, for groups so large that filling up misses the sizes."""
    chosen: list[list[int]] = []
    rest: Sequence[list[int]] = members
    for name, size in zip(names, sizes, strict=True):
        total = sum(len(rows) for rows in rest)
        picked = set(range(len(rest))) if total == size else _subset([*map(len, rest)], size)
        if picked is None:
            raise InputError(
                f"No choice of whole groups gives exactly {size:,} rows for `{name}`: rows of one "
                "group (`data.group`, or the same text or context) stay together, the smallest of "
                f"{len(members)} groups has {len(members[-1])} and the largest {len(members[0])}. "
                f"Set another number of rows, or remove `data.strong_train`."
            )
        chosen.append([row for i, rows in enumerate(rest) if i in picked for row in rows])
        rest = [rows for i, rows in enumerate(rest) if i not in picked]
    return chosen[0], chosen[1]


def _subset(weights: list[int], total: int) -> set[int] | None:
    """Positions whose weights add up to `total`; reachable sums are the bits of an integer."""
    mask = (1 << (total + 1)) - 1
    reached = [1]
    for weight in weights:
        reached.append((reached[-1] | reached[-1] << weight) & mask)
        if reached[-1] >> total & 1:
            break
    if not reached[-1] >> total & 1:
        return None
    picked = set()
    for i in reversed(range(len(reached) - 1)):
        if not reached[i] >> total & 1:
            picked.add(i)
            total -= weights[i]
    return picked
