"""The column `order` of the votes of language models: in which order they saw the options."""

import json
from typing import Any

import numpy as np

from steelyard.types import Ints
from steelyard.types.build_votes import vote_order
from steelyard.votes_io.vote_columns import RawVotes


def option_orders(raw: RawVotes, options: int) -> Ints | None:
    """A number of each vote's order of the options, (M,), in the order of the table of votes.

    Of two options it is the number of the one that is shown first, else equal for equal orders;
    -1 where the order is unknown. None if no vote has one.

    Args:
        raw: M votes, none of them repeated.
        options: how many options there are.
    """
    if raw.shown is None:
        return None
    given = [_permutation(value) for value in raw.shown.values]
    numbers: dict[tuple[int, ...], int] = {}
    each = [
        -1 if not shown else shown[0] if options == 2 else numbers.setdefault(shown, len(numbers))
        for shown in given
    ]
    orders = np.array(each, dtype=np.int64)[raw.shown.codes]
    if (orders < 0).all():
        return None
    return np.asarray(orders[vote_order(raw.example, raw.voter, raw.query)[0]])


def _permutation(value: Any) -> tuple[int, ...]:
    """The numbers of a list, or of a JSON list in a text; empty if they are no order."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    numbers = value if isinstance(value, list) else []
    is_order = all(type(n) is int for n in numbers) and sorted(numbers) == [*range(len(numbers))]
    return tuple(numbers) if is_order else ()
