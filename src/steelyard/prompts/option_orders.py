"""Orders to show options in: random, distinct while there are enough, the same anywhere."""

import functools
import hashlib
import math

import numpy as np

LISTED = 720  # orders of up to 6 options are drawn from the list of all


def draw_seed(*parts: str | int) -> int:
    """A number below 2**63 that depends on the parts alone."""
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    raw = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(raw, "big") >> 1


def order_of(seed: int, question: str, size: int, number: int) -> tuple[int, ...]:
    """Order `number` of a question's options: order[i] is the option shown in place i.

    Orders 0, 1, ... of a question are random permutations without replacement; after size! of them
    they start again. They depend on the seed and the question's id, not on its place in a list.

    Source: Guo and Yang 2024, arXiv:2406.19032 (k distinct permutations of four options out of 24,
        from the authors' code, Irenehere/ReliableAlignment).
    """
    return _orders(seed, question, size, number + 1)[number % ways(size)]


def ways(size: int) -> int:
    """Number of orders of `size` options; from 21 options on, more than anybody asks for."""
    return math.factorial(min(size, 20))


@functools.lru_cache(maxsize=4096)
def _orders(seed: int, question: str, size: int, count: int) -> tuple[tuple[int, ...], ...]:
    """The first `count` orders, fewer if there are fewer."""
    rng = np.random.default_rng(draw_seed("order", seed, question))
    total = ways(size)
    if total <= LISTED:
        return tuple(_unranked(int(rank), size) for rank in rng.permutation(total)[:count])
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < min(count, total):
        drawn.setdefault(tuple(int(place) for place in rng.permutation(size)))
    return tuple(drawn)


def _unranked(rank: int, size: int) -> tuple[int, ...]:
    """Permutation number `rank` in lexicographic order (Lehmer code)."""
    left = list(range(size))
    order = []
    for place in range(size, 0, -1):
        index, rank = divmod(rank, math.factorial(place - 1))
        order.append(left.pop(index))
    return tuple(order)
