"""The best of several models, judged on test items and seeds that did not choose it."""

from collections.abc import Sequence

import numpy as np

from steelyard.errors import InputError
from steelyard.types import Floats, Ints

HALVES = 2


def halve(groups: Ints, seed: int = 0) -> Ints:
    """Half, 0 or 1, of each of N test items, (N,); items of one group are in the same half."""
    _, group = np.unique(groups, return_inverse=True)
    rank = np.random.default_rng(seed).permutation(int(group.max()) + 1)
    return np.asarray(rank[group] % HALVES, dtype=np.int64)


def choose_elsewhere(scores: Floats, lower_is_better: bool = False) -> Ints:
    """The model that is best on the other half of the items and in the other seeds, (S, 2).

    Entry (s, h) is chosen for seed s on half h, by the mean score over the seeds other than s on
    half 1 - h. With one seed that seed is used, and only the items differ. Equal scores: the first.

    Args:
        scores: (Q, S, 2), of each model in each seed on each half; nan is undefined.
        lower_is_better: of the metric.
    """
    if scores.ndim != 3 or scores.shape[2] != HALVES or not scores.shape[0]:
        raise InputError(f"`scores` must be (models, seeds, 2), got {scores.shape}.")
    quality = np.where(np.isnan(scores), -np.inf, -scores if lower_is_better else scores)
    seeds = scores.shape[1]
    chosen = np.zeros((seeds, HALVES), dtype=np.int64)
    for s in range(seeds):
        others = [other for other in range(seeds) if other != s] or [s]
        for half in range(HALVES):
            chosen[s, half] = quality[:, others, 1 - half].mean(axis=1).argmax()
    return chosen


def combine(tables: Sequence[Sequence[Floats]], chosen: Ints, halves: Ints) -> list[Floats]:
    """The answers of the chosen models: in each seed one table (N, K), row by row.

    Args:
        tables: for each model and seed (N, K).
        chosen: (S, 2), from `choose_elsewhere`.
        halves: (N,), from `halve`.
    """
    combined = []
    for s, by_half in enumerate(chosen):
        wide = max(tables[q][s].shape[1] for q in by_half)
        rows = np.zeros((len(halves), wide))
        for half, q in enumerate(by_half):
            table = tables[q][s]
            rows[halves == half, : table.shape[1]] = table[halves == half]
        combined.append(rows)
    return combined
