"""Texts that are in two splits of a task, word for word or nearly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from steelyard.data.minhash import similar_pairs
from steelyard.data.normalize_text import full_text, normal_form
from steelyard.data.take import take
from steelyard.errors import InputError
from steelyard.types import Split, Task
from steelyard.types.task_kinds import KINDS

PAIRS = (("weak_train", "strong_train"), ("weak_train", "test"), ("strong_train", "test"))


@dataclass(frozen=True)
class Leak:
    """A row of one split whose text is also in another."""

    left: str  # id in the first split of `where`, whose row can be dropped
    right: str  # id of the most similar row in the second split
    where: str  # such as "strong_train/test"
    similarity: float  # Jaccard similarity of the sets of 5-character runs; 1 for the same text


def find_leaks(task: Task, threshold: float = 0.8) -> tuple[Leak, ...]:
    """Equal and nearly equal texts in two splits, at most one leak per left row and pair of splits.

    A text is the context, question and options together, in lower case without punctuation.
    All equal texts are found; of pairs exactly at the threshold 99 % or more are expected to be
    found, and more of those above it. The threshold is the least Jaccard similarity of the sets of
    5-character runs, in (0, 1].
    """
    texts = {
        name: [normal_form(full_text(q)) for q in getattr(task, name).questions]
        for name in ("weak_train", "strong_train", "test")
    }
    leaks: list[Leak] = []
    for left, right in PAIRS:
        best = _best_matches(texts[left], texts[right], threshold)
        ids = getattr(task, left).ids, getattr(task, right).ids
        where = f"{left}/{right}"
        leaks += [Leak(ids[0][i], ids[1][j], where, s) for i, (j, s) in sorted(best.items())]
    return tuple(leaks)


def apply_leak_policy(
    task: Task, leaks: Sequence[Leak], policy: Literal["report", "error", "drop"]
) -> Task:
    """The task after the policy; "drop" removes the left row of each leak, never test rows.

    Raises:
        InputError: the policy is "error" and there are leaks, or only one class would remain.
    """
    if not leaks or policy == "report":
        return task
    if policy == "error":
        first = leaks[0]
        raise InputError(
            f"{task.name!r} has {len(leaks):,} leaks, texts that are in two splits, first "
            f"{first.left!r} and {first.right!r} ({first.where}, similarity "
            f"{first.similarity:.2f}). Remove them, or set `data.leaks` to drop or report."
        )
    return replace(
        task,
        weak_train=_without(task, "weak_train", leaks),
        strong_train=_without(task, "strong_train", leaks),
    )


def _without(task: Task, name: str, leaks: Sequence[Leak]) -> Split:
    leaking = {leak.left for leak in leaks if leak.where.startswith(f"{name}/")}
    part: Split = getattr(task, name)
    if not leaking:
        return part
    rows = [i for i, question in enumerate(part.questions) if question.id not in leaking]
    kept = take(part, rows)
    classes = task.classes and not KINDS[task.kind].is_pair
    if not rows or (classes and len(np.unique(kept.truth)) < 2):
        raise InputError(
            f"Without its {len(leaking):,} leaking rows `{name}` of {task.name!r} has "
            f"{len(rows):,} rows of fewer than two classes. Give other data, or set "
            "`data.leaks: report`."
        )
    return kept


def _best_matches(
    left: Sequence[str], right: Sequence[str], threshold: float
) -> dict[int, tuple[int, float]]:
    """For each left row with a match its best right row and their similarity."""
    first = {text: j for j, text in reversed(list(enumerate(right)))}
    best = {i: (first[text], 1.0) for i, text in enumerate(left) if text in first}
    rows = [i for i in range(len(left)) if i not in best]
    columns = list(first.values())
    pairs = similar_pairs([left[i] for i in rows], [right[j] for j in columns], threshold)
    for i, j, similarity in zip(*(part.tolist() for part in pairs), strict=True):
        if similarity > best.get(rows[i], (0, 0.0))[1]:
            best[rows[i]] = (columns[j], similarity)
    return best
