"""Position bias: how often a judge changes its answer when the options are shown in another order.

The order is known for each vote, as `label` writes it, or is read from the names of the prompt
variants (`query`).
"""

import re
from dataclasses import dataclass

import numpy as np

from steelyard.diagnostics.judges import proportions
from steelyard.types import ABSTAIN, Floats, Interval, Ints, Votes
from steelyard.types.arrays import tally

ORDERS = tuple(
    (re.compile(pattern, re.IGNORECASE), tells_first)
    for pattern, tells_first in (
        (r"\bswap(?:ped)?\s*[=:_-]\s*(?:(true|yes|1)|(?:false|no|0))\b", True),
        (r"\b(?:not[ _-]?swapped|unswapped|(swapped))\b", True),
        (r"(?<![a-z])(?:original[ _-]?order|(reversed?|flipped))(?![a-z])", True),
        (r"(?<![a-z])(?:ab|(ba))(?![a-z])", True),
        (r"(?<![a-z])order[ _=-]?(\d+)(?!\d)", False),
    )
)
"""Forms of an order in a name, and whether it tells which of two options is shown first."""


NUMBERED = re.compile(r"^\d+-|/\d+$")
"""The number of a query and of its sample, beside the name of its template."""


@dataclass(frozen=True)
class PositionBias:
    """How one voter answers the same prompt with the options in two orders."""

    voter: str
    template: str  # the query without its order; "" is all templates together
    items: int
    pairs: int  # of answers in two orders; with one template as many as items
    flipped: Interval  # share of the pairs with different answers
    first_shown: Interval | None  # share of the answers that name the option shown first


def position_bias(votes: Votes, orders: Ints | None = None) -> tuple[PositionBias, ...]:
    """Share of answers that change with the order of the options, by voter and prompt template.

    Answers must name the option itself and not its place: they are mapped back. Queries that
    differ in their order alone are compared: `swap = True` and `swap = False`, `plain` and
    `plain swapped`, `AB` and `BA`, `order-0` and `order-1`. The option shown first is known for
    two classes and the first three forms. With `orders`, queries of one template are compared:
    `0-plain` and `5-plain`. Intervals are Wilson's at 95 %, with as many trials as
    there are items.

    Args:
        votes: M votes, with the prompt variant of each in `query`.
        orders: (M,), the number of the order in which the options were shown, of two options the
            one that was shown first; negative where unknown. None reads the names of queries.

    Returns:
        For each voter with such queries, in the order of `votes.voters`, all templates together,
        then each template; empty where no query names an order.
    """
    if orders is None:
        names = parse_orders(votes.queries)
        order = np.array([place for _, place, _ in names], dtype=np.int64)[votes.query]
    else:
        names = [(NUMBERED.sub("", query), 0, True) for query in votes.queries]
        order = orders
    templates = sorted({template for template, _, _ in names})
    number = {template: i for i, template in enumerate(templates)}
    template = np.array([number[name] for name, _, _ in names], dtype=np.int64)[votes.query]
    two = all(tells for _, place, tells in names if place >= 0) and votes.num_classes == 2
    rows = np.flatnonzero((order >= 0) & (votes.answer != ABSTAIN))
    rows = rows[np.lexsort((order[rows], votes.example[rows], template[rows], votes.voter[rows]))]
    first, second = rows[:-1], rows[1:]
    same = [column[first] == column[second] for column in (votes.voter, template, votes.example)]
    paired = np.logical_and.reduce([*same, order[first] != order[second]])
    first, second = first[paired], second[paired]
    if not len(first):
        return ()
    flipped = (votes.answer[first] != votes.answer[second]).astype(float)
    shown = None
    if two and not votes.candidate_texts:
        names_first = [(votes.answer[m] == order[m]).astype(float) for m in (first, second)]
        shown = (names_first[0] + names_first[1]) / 2
    group = votes.voter[first] * (len(templates) + 1)  # all templates, then each
    pairs = _Pairs(
        group=np.concatenate([group, group + 1 + template[first]]),
        item=np.tile(votes.example[first], 2),
        flipped=np.tile(flipped, 2),
        shown=None if shown is None else np.tile(shown, 2),
    )
    return _by_group(votes, ("", *templates), pairs)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """P answers in one order with the same voter's answer in another."""

    group: Ints  # (P,), voter and template
    item: Ints  # (P,)
    flipped: Floats  # (P,), 1 where the answers differ
    shown: Floats | None  # (P,), share of the two that name the option shown first


def _by_group(votes: Votes, templates: tuple[str, ...], pairs: _Pairs) -> tuple[PositionBias, ...]:
    size = len(votes.voters) * len(templates)
    number = tally(pairs.group, size)
    distinct = np.unique(pairs.group * len(votes.ids) + pairs.item) // len(votes.ids)
    items = tally(distinct, size)

    def spans(values: Floats) -> list[Interval | None]:
        return proportions(tally(pairs.group, size, values) / np.maximum(number, 1) * items, items)

    flips = spans(pairs.flipped)
    firsts = [None] * size if pairs.shown is None else spans(pairs.shown)
    return tuple(
        PositionBias(
            voter=votes.voters[int(g) // len(templates)],
            template=templates[int(g) % len(templates)],
            items=int(items[g]),
            pairs=int(number[g]),
            flipped=flipped,
            first_shown=firsts[g],
        )
        for g in np.flatnonzero(number)
        if (flipped := flips[g]) is not None
    )


def parse_orders(queries: tuple[str, ...]) -> list[tuple[str, int, bool]]:
    """Template, order and whether the order tells the first option, of each query.

    The order is -1 for a query without one, unless the same name with "swapped" is there too.

    >>> parse_orders(("CoT|swap = False", "CoT|swap = True", "plain"))
    [('CoT|', 0, True), ('CoT|', 1, True), ('plain', -1, False)]
    """
    parsed = [_order_of(query) for query in queries]
    swapped = {template for template, order, _ in parsed if order >= 0}
    return [
        (template, 0, True) if order < 0 and template in swapped else (template, order, tells)
        for template, order, tells in parsed
    ]


def _order_of(query: str) -> tuple[str, int, bool]:
    for pattern, is_swap in ORDERS:
        match = pattern.search(query)
        if match:
            rest = f"{query[: match.start()]}{query[match.end() :]}".strip(" -_,;/")
            order = int(match[1] is not None) if is_swap else int(match[1])
            return rest, order, is_swap
    return query, -1, False
