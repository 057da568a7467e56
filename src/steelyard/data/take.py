"""Rows of a split, and several splits in one."""

from collections.abc import Mapping, Sequence

import numpy as np

from steelyard.types import Ints, Split


def take(part: Split, rows: Ints | Sequence[int]) -> Split:
    """The given rows of a split, in their order."""

    def taken(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(texts[i] for i in rows) if texts else ()

    return Split(
        tuple(part.questions[i] for i in rows),
        part.truth[np.asarray(rows, dtype=int)],
        taken(part.reference_texts),
        part.salt,
        *map(taken, (part.groups, part.slices, part.sets)),
    )


def joined(parts: Mapping[str, Split]) -> Split:
    """Rows of several splits one after the other; `sets` has the name of each row's split.

    Names of a single split are not kept.
    """
    splits = list(parts.values())
    if len(splits) == 1:
        return splits[0]

    def tags(field: str) -> tuple[str, ...]:
        if not any(getattr(part, field) for part in splits):
            return ()
        return tuple(name for p in splits for name in getattr(p, field) or ("",) * len(p.questions))

    return Split(
        tuple(question for part in splits for question in part.questions),
        np.concatenate([part.truth for part in splits]),
        tags("reference_texts"),
        "",
        tags("groups"),
        tags("slices"),
        tuple(name for name, part in parts.items() for _ in part.questions),
    )
