"""Texts that a file holds twice: with one label, or with several that contradict each other."""

from collections import Counter
from typing import Literal, TypeAlias

import numpy as np

from steelyard.data.normalize_text import full_text, normal_form
from steelyard.data.take import take
from steelyard.types import Split

Policy: TypeAlias = Literal["keep", "drop", "majority"]


def resolve(part: Split, policy: Policy) -> tuple[Split, dict[str, int]]:
    """Each text once, with one label; and how many texts and rows that concerned.

    Texts are equal if they are in lower case and without punctuation. Of a text with one label its
    first row is kept. A text with several labels is dropped, or with "majority" the first row of
    its most frequent label is kept, if there is a single most frequent one.

    Returns:
        The split, unchanged with "keep", and the counts `contradictory texts`, `duplicate text`
        and `contradictory labels`; the last two are rows that are dropped.
    """
    rows: dict[str, list[int]] = {}
    for i, question in enumerate(part.questions):
        rows.setdefault(normal_form(full_text(question)), []).append(i)
    kept, counts = [], Counter[str]()
    for same in rows.values():
        labels = Counter(int(part.truth[i]) for i in same)
        counts["contradictory texts"] += len(labels) > 1
        if policy == "keep":
            continue
        first = _representative(part, same, labels, policy)
        kept += [] if first is None else [first]
        reason = "duplicate text" if len(labels) == 1 else "contradictory labels"
        counts[reason] += len(same) - (first is not None)
    return (part if policy == "keep" else take(part, np.sort(np.array(kept, dtype=int)))), counts


def _representative(
    part: Split, same: list[int], labels: Counter[int], policy: Policy
) -> int | None:
    """The row that stands for all rows of one text; None if none does."""
    (label, most), *others = labels.most_common()
    if others and (policy == "drop" or others[0][1] == most):
        return None
    return next(i for i in same if part.truth[i] == label)
