"""Several convex functions minimised side by side, each with its own L-BFGS."""

from collections.abc import Callable

import numpy as np

from steelyard.types import Floats, Ints

MEMORY = 10  # steps that shape the next one
SMALLEST = 1e-12  # share of a step that is still tried
DECREASE = 1e-4  # of the expected decrease that a step must bring


def minimise(
    evaluate: Callable[[Floats, Ints], tuple[Floats, Floats]],
    inverse: Floats,
    tolerance: Floats,
    steps: int,
) -> Floats | None:
    """Where each of H functions of P numbers is least, (H, P), from 0; None if one is not found.

    Functions that are found leave; the others go on. A step is halved until it brings enough.

    Args:
        evaluate: values (h,) and slopes (h, P) of the functions with the given numbers (h,), at
            points (h, P).
        inverse: (H, P), positive; about one over the curvature of each function in each number.
        tolerance: (H,), largest slope at which a function counts as least.
        steps: of any function, at most.

    Source: Liu and Nocedal 1989, doi:10.1007/BF01589116, algorithm 2.1 (with backtracking, which
        suffices where functions are convex; steps of too little curvature are not remembered).
    """
    solution = np.zeros_like(inverse)
    alive, points = np.arange(len(inverse)), np.zeros_like(inverse)
    values, slopes = evaluate(points, alive)
    moves = np.zeros((MEMORY, *points.shape))
    turns = np.zeros((MEMORY, *points.shape))
    shares = np.zeros((MEMORY, len(points)))  # 1 / (move . turn), 0 for one that is forgotten
    for step in range(steps):
        near = np.abs(slopes).max(axis=1) <= tolerance[alive]
        if near.any():
            solution[alive[near]] = points[near]
            go = ~near
            alive, points, values, slopes = alive[go], points[go], values[go], slopes[go]
            moves, turns, shares = moves[:, go], turns[:, go], shares[:, go]
            if not len(alive):
                return solution
        newest = [k % MEMORY for k in range(step - 1, max(0, step - MEMORY) - 1, -1)]
        way = _direction(slopes, inverse[alive], moves, turns, shares, newest)
        there, values, new = _line_search(evaluate, alive, points, values, slopes, way)
        k = step % MEMORY
        moves[k], turns[k] = there - points, new - slopes
        curved = _dot(moves[k], turns[k])
        enough = curved > 1e-14 * _dot(turns[k], inverse[alive] * turns[k])
        shares[k] = np.where(enough, 1 / np.where(enough, curved, 1), 0)
        points, slopes = there, new
    return None


def _direction(
    slopes: Floats, inverse: Floats, moves: Floats, turns: Floats, shares: Floats, newest: list[int]
) -> Floats:
    """The two loops of L-BFGS: minus an estimate of the inverse Hessian times the slopes."""
    way = -slopes
    parts = {}
    for k in newest:
        parts[k] = shares[k] * _dot(moves[k], way)
        way -= parts[k][:, None] * turns[k]
    way *= inverse
    for k in reversed(newest):
        way += (parts[k] - shares[k] * _dot(turns[k], way))[:, None] * moves[k]
    return way


def _line_search(
    evaluate: Callable[[Floats, Ints], tuple[Floats, Floats]],
    alive: Ints,
    points: Floats,
    values: Floats,
    slopes: Floats,
    way: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Points, values and slopes after a step that brings enough, for each function its own."""
    promise = DECREASE * _dot(slopes, way)
    blur = 1e-12 * np.abs(values)  # differences below are rounding
    there, after, new = np.empty_like(points), np.empty_like(values), np.empty_like(slopes)
    todo, size = np.arange(len(points)), 1.0
    while len(todo) and size > SMALLEST:
        there[todo] = points[todo] + size * way[todo]
        after[todo], new[todo] = evaluate(there[todo], alive[todo])
        todo = todo[~(after[todo] <= values[todo] + size * promise[todo] + blur[todo])]
        size /= 2
    return there, after, new


def _dot(a: Floats, b: Floats) -> Floats:
    product: Floats = np.einsum("hp,hp->h", a, b)
    return product
