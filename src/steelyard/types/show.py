"""Short texts for the reprs of the nouns."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SHOWN = 6


def listed(names: Sequence[str], counts: npt.ArrayLike | None = None) -> str:
    """The first names, truncated, with their counts if there are any.

    >>> listed(["ann", "bob"], [3, 1200]), listed("abcdefgh")
    ('ann 3, bob 1,200', 'a, b, c, d, e, f and 2 more')
    """
    numbers = [""] * len(names) if counts is None else [f" {n:,.0f}" for n in np.asarray(counts)]
    shown = [f"{str(name)[:30]}{n}" for name, n in zip(names, numbers, strict=True)]
    rest = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + rest
