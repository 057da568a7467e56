"""The order in which options are shown: random, distinct while there are enough, reproducible."""

import functools
import hashlib
import math

import numpy as np

LISTED = 720  # up to so many orders (6 options) are drawn from the list of all orders


def draw_seed(*parts: str | int) -> int:
    """A number below 2**63 that depends on the parts alone."""
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    raw = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(raw, "big") >> 1


def order_of(seed: int, question: str, size: int, number: int) -> tuple[int, ...]:
    """Order `number` of a question's options: order[i] is the option shown at position i.

    Orders 0, 1, ... of a question are random permutations without replacement, repeated after
    size! of them. They depend on the seed and the question's id, not on its position in a list.

    Source: Guo and Yang 2024, arXiv:2406.19032 (k distinct permutations of four options out of 24,
        from the authors' code, Irenehere/ReliableAlignment).
    """
    return _orders(seed, question, size, number + 1)[number % num_orders(size)]


def num_orders(size: int) -> int:
    """Number of orders of `size` options; from 21 options on, more than are ever needed."""
    return math.factorial(min(size, 20))


@functools.lru_cache(maxsize=4096)
def _orders(seed: int, question: str, size: int, count: int) -> tuple[tuple[int, ...], ...]:
    """The first `count` orders, fewer if there are fewer."""
    rng = np.random.default_rng(draw_seed("order", seed, question))
    total = num_orders(size)
    if total <= LISTED:
        return tuple(_unranked(int(rank), size) for rank in rng.permutation(total)[:count])
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < min(count, total):
        drawn.setdefault(tuple(int(option) for option in rng.permutation(size)))
    return tuple(drawn)


def _unranked(rank: int, size: int) -> tuple[int, ...]:
    """Permutation number `rank` in lexicographic order (Lehmer code)."""
    remaining = list(range(size))
    order = []
    for position in range(size, 0, -1):
        index, rank = divmod(rank, math.factorial(position - 1))
        order.append(remaining.pop(index))
    return tuple(order)
