"""Numbers as JSON has them."""

from collections.abc import Sequence

import numpy as np

from steelyard.types import Floats


def numbers(values: Floats) -> list[float]:
    """An array's values as plain numbers."""
    return [float(value) for value in values]


def mean(values: Sequence[float]) -> float | None:
    """Mean of the values that are not nan; None if all are."""
    present = [value for value in values if value == value]
    return float(np.mean(present)) if present else None
