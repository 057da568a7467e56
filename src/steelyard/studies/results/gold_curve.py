"""How many rows of known truth a student needs to do as well as on weak labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import expm1, log1p


@dataclass(frozen=True)
class RowsWorth:
    """Rows of known truth that are worth as much as an arm's labels.

    Where the arm is outside the curve, `rows` is None and one bound is known.
    """

    rows: float | None
    at_least: int  # the largest number of rows of the curve that does worse; 0 if none does
    at_most: int | None  # the smallest number of rows that does as well; None: not even the most


def rows_worth(
    curve: Sequence[tuple[int, float]], score: float, lower_is_better: bool = False
) -> RowsWorth:
    """The number of rows at which the gold curve first reaches a score.

    Between two points the score is linear in ln(1 + rows), and a point that is worse than one of
    fewer rows counts as that one.

    >>> found = rows_worth([(0, 0.5), (10, 0.6), (100, 0.8)], 0.7)
    >>> round(found.rows, 1), found.at_least, found.at_most
    (32.3, 10, 100)

    Args:
        curve: rows and score of each point, by rising rows, at least one.
        score: of an arm.
        lower_is_better: whether smaller scores are better.
    """
    sign = -1.0 if lower_is_better else 1.0
    points, best = [], -float("inf")
    for rows, value in curve:
        best = max(best, sign * value)
        points.append((rows, best))
    wanted = sign * score
    first, least = points[0]
    if least >= wanted:
        return RowsWorth(float(first) if least == wanted else None, 0, first)
    for (few, low), (many, high) in pairwise(points):
        if high >= wanted:
            part = (wanted - low) / (high - low)
            rows_between = expm1(log1p(few) + part * (log1p(many) - log1p(few)))
            return RowsWorth(rows_between, few, many)
    return RowsWorth(None, points[-1][0], None)
