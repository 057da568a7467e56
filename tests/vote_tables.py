"""Vote tables for tests."""

from typing import Any

import numpy as np

from steelyard.types import Votes


def votes(rows: Any, answers: int = 4, **changes: Any) -> Votes:
    """Votes of V voters on N examples from a table (N, V)."""
    table = np.array(rows)
    size, width = table.shape
    plain: dict[str, Any] = {
        "ids": tuple(f"q{i}" for i in range(size)),
        "voters": tuple(f"v{j}" for j in range(width)),
        "queries": ("unchanged",),
        "example": np.repeat(np.arange(size), width),
        "voter": np.tile(np.arange(width), size),
        "query": np.zeros(size * width, dtype=np.int64),
        "answer": table.ravel(),
        "candidates": np.full(size, answers),
    }
    return Votes(**{**plain, **changes})
